//! Messages between processes: `proto`.
//!
//! What is decoded can be encoded again, and gives the same message.

use dachs_base::Limits;
use dachs_proto::{Answer, Body, Order, Reply, Request, Setup};

/// The bytes are a worker's reply, which is the message that must be feared most.
pub fn reply(data: &[u8]) {
    let limits = Limits { anomalies: 10, detections: 10, ..Limits::default() };
    let Ok(reply) = Reply::decode(data, &limits) else { return };
    for file in &reply.files {
        let Body::Report(report) = &file.body else { continue };
        assert!(report.anomalies.len() <= 10 && report.detections.len() <= 10, "more than the limits allow");
        let gaps = report.anomalies.iter().any(|anomaly| anomaly.kind.is_gap());
        assert!(!gaps || report.gap, "a gap that the report does not have");
        assert!(report.anomalies.iter().all(|anomaly| !anomaly.detail.chars().any(char::is_control)));
    }
    let again = reply.encode().expect("what was decoded can be encoded");
    assert_eq!(Reply::decode(&again, &limits).as_ref(), Ok(&reply));
}

/// The bytes are any other message.
pub fn others(data: &[u8]) {
    if let Ok(request) = Request::decode(data) {
        assert_eq!(Request::decode(&request.encode().expect("encodes")), Ok(request));
    }
    if let Ok(answer) = Answer::decode(data) {
        assert_eq!(Answer::decode(&answer.encode().expect("encodes")), Ok(answer));
    }
    if let Ok(order) = Order::decode(data) {
        assert_eq!(Order::decode(&order.encode().expect("encodes")), Ok(order));
    }
    if let Ok(setup) = Setup::decode(data) {
        assert_eq!(Setup::decode(&setup.encode().expect("encodes")), Ok(setup));
    }
}
