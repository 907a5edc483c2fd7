//! What is written to take a terminal and to give it back (xterm's ctlseqs, unless another source is named).

/// What to ask of the terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Options {
    /// Whether the mouse reports to us from the beginning.
    pub(crate) mouse: bool,
    /// Linux's own console, which has neither the shapes of cursors nor an alternate screen.
    pub(crate) console: bool,
    /// Whether keys are asked for in kitty's form.
    pub(crate) keyboard: bool,
}

impl Options {
    /// What suits the terminal that the environment tells of.
    pub(crate) fn detect(environment: &dyn Fn(&str) -> Option<String>, mouse: bool) -> Options {
        let term = environment("TERM").unwrap_or_default();
        let console = term == "linux";
        Options {
            mouse,
            console,
            // Those that do not know it overlook it. The console of old kernels writes it out, and what calls itself a
            // VT is taken at its word.
            keyboard: !console && !term.starts_with("vt") && term != "dumb",
        }
    }
}

/// Presses, releases and dragging, in the form that has no limit to columns (1006). Not 1003: every move of the mouse
/// would wake us.
pub(super) const MOUSE_ON: &str = "\x1b[?1000h\x1b[?1002h\x1b[?1006h";
pub(super) const MOUSE_OFF: &str = "\x1b[?1006l\x1b[?1002l\x1b[?1000l";

/// The question for the background; the answer has the same form, with a colour for the question mark.
pub(super) const ASK_BACKGROUND: &str = "\x1b]11;?\x07";

/// Everything but the mouse, which can be switched.
pub(super) fn enter(options: &Options) -> String {
    let mut all = String::new();
    // The title is put by.
    all += "\x1b[22;0t";
    all += "\x1b[?1049h";
    if options.keyboard {
        // Keys that would be told alike are told apart (kitty's keyboard protocol, "disambiguate escape codes"). The
        // alternate screen has its own stack of these, so that it comes after. It is not asked for whether the
        // terminal knows it: a question may be answered late, and the keys mean the same either way.
        all += "\x1b[>1u";
    }
    // Pastes in brackets, focus, no cursor.
    all += "\x1b[?2004h\x1b[?1004h\x1b[?25l";
    all
}

/// What `enter` did, backwards, and whatever a frame may have left.
pub(super) fn leave(options: &Options) -> String {
    let mut all = String::new();
    // A frame that was begun is shown (mode 2026, "synchronized output"), and colours end.
    all += "\x1b[?2026l\x1b[0m";
    all += MOUSE_OFF;
    all += "\x1b[?1004l\x1b[?2004l";
    if options.keyboard {
        all += "\x1b[<1u";
    }
    match options.console {
        // What we drew is still there.
        true => all += "\x1b[H\x1b[2J",
        // The shape of the cursor.
        false => all += "\x1b[0 q",
    }
    all += "\x1b[?1049l\x1b[?25h";
    all += "\x1b[23;0t";
    all
}

/// Sets the title.
pub(super) fn title(text: &str) -> String {
    // Titles are cut off by most terminals long before.
    let text: String = text.chars().filter(|c| !c.is_control()).take(256).collect();
    format!("\x1b]2;{text}\x07")
}
