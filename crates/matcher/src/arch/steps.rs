//! The steps of MD5 (RFC 1321, 3.4) in lanes, whatever the registers are: how to add, to turn and to mix is told.
//!
//! A macro, since no function is compiled for the registers of its caller.

/// All steps of a block: `$mix` of each round, `$turn` of a step.
macro_rules! rounds {
    ($state:ident, $words:ident, $add:ident, $key:ident, $turn:ident, $mixes:expr) => {
        let (first, second, third, fourth) = $mixes;
        rounds!($state, $words, $add, $key, $turn, first, 0, 1, 0, [7 12 17 22], 0 4 8 12);
        rounds!($state, $words, $add, $key, $turn, second, 16, 5, 1, [5 9 14 20], 0 4 8 12);
        rounds!($state, $words, $add, $key, $turn, third, 32, 3, 5, [4 11 16 23], 0 4 8 12);
        rounds!($state, $words, $add, $key, $turn, fourth, 48, 7, 0, [6 10 15 21], 0 4 8 12);
    };
    (
        $state:ident, $words:ident, $add:ident, $key:ident, $turn:ident, $mix:ident, $at:expr, $times:expr, $plus:expr,
        [$r0:literal $r1:literal $r2:literal $r3:literal], $($four:literal)*
    ) => {$(
        let [a, b, c, d] = $state;
        let early = |a, step: usize| $add($add(a, $words[($times * step + $plus) % 16]), $key($at + step));
        let a = $add($turn!($add(early(a, $four), $mix(b, c, d)), $r0), b);
        let d = $add($turn!($add(early(d, $four + 1), $mix(a, b, c)), $r1), a);
        let c = $add($turn!($add(early(c, $four + 2), $mix(d, a, b)), $r2), d);
        let b = $add($turn!($add(early(b, $four + 3), $mix(c, d, a)), $r3), c);
        $state = [a, b, c, d];
    )*};
}

pub(super) use rounds;
