//! What real programs wrote, and what that looks like. `../recordings/README.md` says how it was recorded.

use super::*;

fn replay(recording: &[u8]) -> Emulator {
    let mut emulator = Emulator::new(80, 24, 1000);
    // In pieces, as the network would cut it; no sequence may depend on coming whole.
    for piece in recording.chunks(7) {
        emulator.advance(piece);
    }
    emulator
}

macro_rules! recordings {
    ($($test:ident: $file:literal;)*) => {
        $(
            #[test]
            fn $test() {
                let mut emulator = replay(include_bytes!(concat!("../recordings/", $file, ".ansi")));
                insta::assert_snapshot!(snapshot(&mut emulator, &look()));
            }
        )*
    };
}

recordings! {
    bash_with_readline: "bash";
    ls_in_colour: "ls";
    vim_split_in_two: "vim";
    less_searching: "less";
    top: "top";
    htop: "htop";
    tmux_in_three_panes: "tmux";
    mc_with_a_menu: "mc";
    nano: "nano";
    dialog: "dialog";
    dialog_in_the_c_locale: "dialog-c";
}

/// Whole, the programs leave what they were started from as it was.
#[test]
fn programs_come_back_from_the_alternate_screen() {
    let mut emulator = fed(80, 24, b"guest$ less long.txt\r\n");
    emulator.advance(include_bytes!("../recordings/less.ansi"));
    assert!(emulator.alternate_screen());
    assert_eq!(emulator.history_len(), 0);
    emulator.advance(b"\x1b[?1049l\x1b[?1l\x1b>");
    assert!(!emulator.alternate_screen());
    assert_eq!(rows(&mut emulator)[0], "guest$ less long.txt");
    assert_eq!(emulator.cursor().map(|cursor| cursor.line), Some(1));
}
