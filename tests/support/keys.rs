//! What terminals send for a key (xterm, ctlseqs: PC-style function keys, and control characters).

/// The bytes of a key by its name: `a`, `ctrl-]`, `alt-x`, `shift-tab`, `enter`, `esc`, `up`, `pagedown`, `f5` and so on.
pub fn bytes(key: &str, is_application: bool) -> Vec<u8> {
    if let Some(rest) = key.strip_prefix("alt-").filter(|rest| !rest.is_empty()) {
        return [vec![0x1b], bytes(rest, is_application)].concat();
    }
    if let Some(rest) = key.strip_prefix("ctrl-").filter(|rest| !rest.is_empty()) {
        return match rest {
            "space" => vec![0],
            "left" => b"\x1b[1;5D".into(),
            "right" => b"\x1b[1;5C".into(),
            // The letter's, or the sign's, number without its upper bits.
            rest => vec![rest.to_ascii_uppercase().as_bytes()[0] & 0x1f],
        };
    }
    let arrow = |letter| match is_application {
        true => vec![0x1b, b'O', letter],
        false => vec![0x1b, b'[', letter],
    };
    match key {
        "enter" => b"\r".into(),
        "esc" => vec![0x1b],
        "tab" => b"\t".into(),
        "shift-tab" => b"\x1b[Z".into(),
        "space" => b" ".into(),
        "backspace" => vec![0x7f],
        "up" => arrow(b'A'),
        "down" => arrow(b'B'),
        "right" => arrow(b'C'),
        "left" => arrow(b'D'),
        "home" => arrow(b'H'),
        "end" => arrow(b'F'),
        "insert" => b"\x1b[2~".into(),
        "delete" => b"\x1b[3~".into(),
        "pageup" => b"\x1b[5~".into(),
        "pagedown" => b"\x1b[6~".into(),
        "f1" => b"\x1bOP".into(),
        "f2" => b"\x1bOQ".into(),
        "f3" => b"\x1bOR".into(),
        "f4" => b"\x1bOS".into(),
        "f5" => b"\x1b[15~".into(),
        key => {
            assert_eq!(key.chars().count(), 1, "no key is called {key:?}");
            key.into()
        }
    }
}
