//! HTTP.

use rustix::fd::OwnedFd;

use crate::peer::Peer;
use crate::service::Service;
use crate::settings::HttpSettings;

/// What all connections over HTTP share.
#[derive(Debug)]
pub(crate) struct Http {}

impl Http {
    pub(crate) fn new(_settings: &HttpSettings) -> Result<Http, String> {
        Ok(Http {})
    }

    pub(crate) fn ready(&self, _door: std::sync::Arc<crate::door::Door>) {}

    pub(crate) fn serve(&self, _service: &Service, _peer: Peer, _socket: OwnedFd) {}
}
