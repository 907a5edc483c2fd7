//! What passes over a terminal's WebSocket: binary messages whose first byte is a kind, integers big-endian. Pure.
//!
//! What is typed is only ever the inside of [`FromPage::Data`], so no text that is pasted or printed can be taken for
//! anything else.

use bytes::{BufMut, Bytes, BytesMut};
use serde::Serialize;

/// The subprotocol (RFC 6455 §1.9) that speaks of these frames.
pub(super) const PROTOCOL: &str = "sistemo.terminal.v1";

/// The longest message that a page may send, in bytes.
pub(super) const LONGEST: usize = 64 << 10;

/// Sizes that terminals may have, in characters: columns, rows.
const SMALLEST: (u16, u16) = (2, 1);
const LARGEST: (u16, u16) = (1000, 500);

// Kinds.
pub(super) const DATA: u8 = 0x00;
const RESIZE: u8 = 0x01;
const ACK: u8 = 0x02;
const HELLO: u8 = 0x03;
const STATE: u8 = 0x04;
const AGAIN: u8 = 0x05;
const PING: u8 = 0x06;
const PONG: u8 = 0x07;
const CLOSE: u8 = 0x08;

/// What a page sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum FromPage {
    /// Typed or pasted.
    Data(Bytes),
    /// The terminal's size in characters, within what is possible.
    Resize { cols: u16, rows: u16 },
    /// The offset in the stream up to which everything has been drawn.
    Ack(u64),
    /// Another shell, now that one has ended.
    Again,
    /// To be sent back.
    Ping(u64),
    /// The session is over.
    Close,
}

/// Why a message is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Malformed {
    #[error("an empty message")]
    Empty,
    #[error("no such kind of message: {0:#04x}")]
    Kind(u8),
    #[error("a message of kind {kind:#04x} has {expected} bytes, not {length}")]
    Length {
        kind: u8,
        expected: usize,
        length: usize,
    },
}

impl FromPage {
    /// Reads a message.
    ///
    /// # Errors
    ///
    /// When its kind is unknown or none of a page's, or its length is not that of its kind.
    pub(super) fn decode(mut message: Bytes) -> Result<FromPage, Malformed> {
        let length = message.len();
        if length == 0 {
            return Err(Malformed::Empty);
        }
        let kind = message.split_to(1)[0];
        let fixed = |expected| Malformed::Length {
            kind,
            expected,
            length,
        };
        let number = || -> Result<u64, Malformed> {
            let bytes = message[..].try_into().map_err(|_| fixed(9))?;
            Ok(u64::from_be_bytes(bytes))
        };
        match kind {
            DATA => Ok(FromPage::Data(message)),
            RESIZE => {
                let [a, b, c, d]: [u8; 4] = message[..].try_into().map_err(|_| fixed(5))?;
                let (cols, rows) =
                    possible((u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])));
                Ok(FromPage::Resize { cols, rows })
            }
            ACK => Ok(FromPage::Ack(number()?)),
            PING => Ok(FromPage::Ping(number()?)),
            AGAIN if message.is_empty() => Ok(FromPage::Again),
            CLOSE if message.is_empty() => Ok(FromPage::Close),
            AGAIN | CLOSE => Err(fixed(1)),
            _ => Err(Malformed::Kind(kind)),
        }
    }
}

/// The possible size that is next to this one.
pub(super) fn possible((cols, rows): (u16, u16)) -> (u16, u16) {
    (
        cols.clamp(SMALLEST.0, LARGEST.0),
        rows.clamp(SMALLEST.1, LARGEST.1),
    )
}

/// What a session is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    Machine,
    Console,
}

/// The first message of the server's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Hello {
    /// To come back by.
    pub session: String,
    /// Where in the stream the next data begins.
    pub offset: u64,
    /// Whether the page has come back to a session.
    pub resumed: bool,
    /// How many bytes, after those that the page has, are gone.
    pub lost: u64,
    pub kind: Kind,
    /// The machine's name now.
    pub machine: Option<String>,
    /// The machine's identifier.
    pub id: Option<String>,
}

/// How the shell is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Standing {
    pub state: &'static str,
    pub message: Option<String>,
    pub hint: Option<String>,
    /// The status that the shell ended with.
    pub exit: Option<u32>,
    /// The signal that it ended by, without `SIG`.
    pub signal: Option<String>,
}

/// What the server sends, besides data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ToPage {
    Hello(Hello),
    State(Standing),
    Pong(u64),
}

impl ToPage {
    pub(super) fn encode(&self) -> Bytes {
        match self {
            ToPage::Hello(hello) => object(HELLO, hello),
            ToPage::State(standing) => object(STATE, standing),
            ToPage::Pong(number) => {
                let mut frame = BytesMut::with_capacity(9);
                frame.put_u8(PONG);
                frame.put_u64(*number);
                frame.freeze()
            }
        }
    }
}

/// A message whose inside is JSON.
fn object(kind: u8, value: &impl Serialize) -> Bytes {
    let mut frame = vec![kind];
    // Texts, numbers and booleans in a struct can always be written.
    let written = serde_json::to_writer(&mut frame, value);
    debug_assert!(written.is_ok());
    frame.into()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    impl FromPage {
        /// As a page writes it.
        pub(in crate::web::terminal) fn encode(&self) -> Bytes {
            let mut frame = BytesMut::new();
            match self {
                FromPage::Data(bytes) => {
                    frame.put_u8(DATA);
                    frame.put_slice(bytes);
                }
                FromPage::Resize { cols, rows } => {
                    frame.put_u8(RESIZE);
                    frame.put_u16(*cols);
                    frame.put_u16(*rows);
                }
                FromPage::Ack(number) => {
                    frame.put_u8(ACK);
                    frame.put_u64(*number);
                }
                FromPage::Again => frame.put_u8(AGAIN),
                FromPage::Ping(number) => {
                    frame.put_u8(PING);
                    frame.put_u64(*number);
                }
                FromPage::Close => frame.put_u8(CLOSE),
            }
            frame.freeze()
        }
    }

    fn messages() -> impl Strategy<Value = FromPage> {
        prop_oneof![
            any::<Vec<u8>>().prop_map(|bytes| FromPage::Data(bytes.into())),
            (2..=1000u16, 1..=500u16).prop_map(|(cols, rows)| FromPage::Resize { cols, rows }),
            any::<u64>().prop_map(FromPage::Ack),
            any::<u64>().prop_map(FromPage::Ping),
            Just(FromPage::Again),
            Just(FromPage::Close),
        ]
    }

    proptest! {
        #[test]
        fn what_a_page_writes_is_read_as_that(message in messages()) {
            prop_assert_eq!(FromPage::decode(message.encode()), Ok(message));
        }

        #[test]
        fn whatever_comes_is_a_message_or_refused(bytes in any::<Vec<u8>>()) {
            if let Ok(message) = FromPage::decode(bytes.clone().into()) {
                let again = message.encode();
                prop_assert!(again == bytes || bytes[0] == RESIZE);
            }
        }
    }

    #[test]
    fn what_is_malformed_is_said() {
        for (bytes, malformed) in [
            (&[][..], "an empty message"),
            (&[0x0a], "no such kind of message: 0x0a"),
            (&[0xff, 1, 2], "no such kind of message: 0xff"),
            // The server's own.
            (&[HELLO, b'{', b'}'], "no such kind of message: 0x03"),
            (&[STATE], "no such kind of message: 0x04"),
            (
                &[PONG, 0, 0, 0, 0, 0, 0, 0, 0],
                "no such kind of message: 0x07",
            ),
            (&[0x09], "no such kind of message: 0x09"),
            (&[RESIZE], "a message of kind 0x01 has 5 bytes, not 1"),
            (
                &[RESIZE, 0, 80, 0, 24, 0],
                "a message of kind 0x01 has 5 bytes, not 6",
            ),
            (
                &[ACK, 0, 0, 0, 1],
                "a message of kind 0x02 has 9 bytes, not 5",
            ),
            (&[PING], "a message of kind 0x06 has 9 bytes, not 1"),
            (&[AGAIN, 0], "a message of kind 0x05 has 1 bytes, not 2"),
            (&[CLOSE, 0], "a message of kind 0x08 has 1 bytes, not 2"),
        ] {
            let refused = FromPage::decode(Bytes::copy_from_slice(bytes)).unwrap_err();
            assert_eq!(refused.to_string(), malformed);
        }
    }

    #[test]
    fn sizes_are_brought_to_what_is_possible() {
        for (asked, given) in [
            ((0, 0), (2, 1)),
            ((80, 24), (80, 24)),
            ((u16::MAX, u16::MAX), (1000, 500)),
        ] {
            assert_eq!(possible(asked), given);
        }
    }

    #[test]
    fn the_servers_messages_are_what_was_agreed() {
        let hello = ToPage::Hello(Hello {
            session: "5".into(),
            offset: 7,
            resumed: true,
            lost: 2,
            kind: Kind::Machine,
            machine: Some("web".into()),
            id: None,
        });
        let text = br#"{"session":"5","offset":7,"resumed":true,"lost":2,"kind":"machine","machine":"web","id":null}"#;
        assert_eq!(hello.encode(), [&[3][..], text].concat());
        let ended = ToPage::State(Standing {
            state: "ended",
            exit: Some(3),
            ..Standing::default()
        });
        let text = br#"{"state":"ended","message":null,"hint":null,"exit":3,"signal":null}"#;
        assert_eq!(ended.encode(), [&[4][..], text].concat());
        assert_eq!(ToPage::Pong(258).encode(), [7, 0, 0, 0, 0, 0, 0, 1, 2][..]);
    }
}
