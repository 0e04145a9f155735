//! Input broken as bytes, whatever they stand for.

use proptest::prelude::*;
use proptest::sample::Index;

/// What parsers stumble over.
const DICTIONARY: &[&[u8]] = &[
    b"\0",
    b"\\u0000",
    b"\\ud800",
    b"\\udc00\\ud800",
    b"\\",
    b"\"",
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b"=",
    b"\xff",
    b"\xc0\x80",
    b"\xed\xa0\x80",
    b"\xef\xbb\xbf",
    b"\r\n",
    b"null",
    b"true",
    b"-0",
    b"1e400",
    b"1e-400",
    b"-1E+9999",
    b"0.1",
    b"1.",
    b"00",
    b"0x10",
    b"9223372036854775807",
    b"9223372036854775808",
    b"-9223372036854775808",
    b"18446744073709551616",
    b"99999999999999999999999999999",
    b"NaN",
    b"Infinity",
    b"t=",
    b"v1=",
    b",v1=,t=1",
    b"+1",
    b"\"id\":\"\",",
    b"\"data\":null,",
    b"\"created\":-1,",
    b"[[[[[[[[[[[[[[[[",
    b"{\"a\":{\"a\":{\"a\":{\"a\":",
    b"9999-12-31T23:59:60.999999999Z",
    b"-0001-01-01T00:00:00Z",
];

#[derive(Debug, Clone)]
pub(crate) enum Mutation {
    Set(Index, u8),
    Insert(Index, Vec<u8>),
    Remove(Index, usize),
    /// So often.
    Repeat(Index, usize, usize),
    Cut(Index),
    /// Goes on with another example from there on.
    Splice(Index, Index, Vec<u8>),
}

pub(crate) fn mutation(examples: Vec<Vec<u8>>) -> impl Strategy<Value = Mutation> {
    prop_oneof![
        3 => (any::<Index>(), any::<u8>()).prop_map(|(at, byte)| Mutation::Set(at, byte)),
        3 => (any::<Index>(), prop::sample::select(DICTIONARY)).prop_map(|(at, word)| Mutation::Insert(at, word.to_vec())),
        2 => (any::<Index>(), 1..64_usize).prop_map(|(at, count)| Mutation::Remove(at, count)),
        1 => (any::<Index>(), 1..32_usize, 1..40_usize).prop_map(|(at, count, times)| Mutation::Repeat(at, count, times)),
        1 => any::<Index>().prop_map(Mutation::Cut),
        1 => (any::<Index>(), any::<Index>(), prop::sample::select(examples)).prop_map(|(at, from, other)| Mutation::Splice(at, from, other)),
    ]
}

pub(crate) fn apply(mut input: Vec<u8>, mutations: &[Mutation]) -> Vec<u8> {
    for mutation in mutations {
        let place = |at: &Index| at.index(input.len() + 1);
        match mutation {
            Mutation::Set(at, byte) => {
                let at = place(at);
                if let Some(place) = input.get_mut(at) {
                    *place = *byte;
                }
            }
            Mutation::Insert(at, bytes) => {
                let at = place(at);
                input.splice(at..at, bytes.iter().copied());
            }
            Mutation::Remove(at, count) => {
                let at = place(at);
                let end = (at + count).min(input.len());
                input.drain(at..end);
            }
            Mutation::Repeat(at, count, times) => {
                let at = place(at);
                let part = input[at..(at + count).min(input.len())].repeat(*times);
                input.splice(at..at, part);
            }
            Mutation::Cut(at) => {
                let at = place(at);
                input.truncate(at);
            }
            Mutation::Splice(at, from, other) => {
                let at = place(at);
                input.truncate(at);
                input.extend_from_slice(&other[from.index(other.len() + 1)..]);
            }
        }
    }
    input
}
