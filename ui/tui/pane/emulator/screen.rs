//! What a guest's control sequences do: alacritty's `Term`, within limits, and with what it lacks.
//!
//! Not there: DECSTR (`CSI ! p`), DECSCNM (`?5`), everything in a DCS (DECRQSS, XTGETTCAP, sixels), blinking text,
//! xterm's modifyOtherKeys, mouse modes 1001, 1015 and 1016. DECRQM says of those that it does not know them, and
//! programs that find `xterm-256color` in terminfo do without.

use alacritty_terminal::event::{Event, EventListener};
use alacritty_terminal::index::Column;
use alacritty_terminal::term::cell::Flags;
use alacritty_terminal::term::{Config, Term, TermMode};
use alacritty_terminal::vte::ansi::{
    Attr, CharsetIndex, ClearMode, CursorShape, CursorStyle, Handler, Hyperlink, KeyboardModes,
    KeyboardModesApplyBehavior, LineClearMode, Mode, PrivateMode, Rgb, StandardCharset,
    TabulationClearMode,
};
use unicode_width::UnicodeWidthChar;

use super::colours::Colours;
use super::outbox::Outbox;
use super::resize::Size;
use super::text;

/// How many characters without a width one cell takes; the rest is dropped. Unicode's stream-safe text has at most 30
/// (UAX #15), written languages a handful.
const MOST_ZERO_WIDTH: usize = 16;

/// How deep the stack of keyboard modes is. The protocol wants a limit; `Term`'s own (4096) ends the program when it is
/// reached while no title is stacked.
const DEEPEST_KEYBOARD: u16 = 32;

/// Private modes of xterm that go to the alternate screen and back without the cursor.
const ALTERNATE: [u16; 2] = [47, 1047];

/// xterm's mode that saves the cursor alone.
const SAVE_CURSOR: u16 = 1048;

/// The mode of X10's mouse: presses only.
const X10_MOUSE: u16 = 9;

/// The grid, and what is kept beside it.
pub(super) struct Screen {
    pub(super) term: Term<Outbox>,
    pub(super) outbox: Outbox,
    /// The colours around the pane.
    pub(super) colours: Colours,
    /// Whether mouse presses are reported as X10 did.
    pub(super) x10_mouse: bool,
    /// Whether something has been done since this was last set to `false`.
    pub(super) active: bool,
    /// Whether the guest has had its history forgotten; taken by whoever keeps more of it.
    pub(super) forgotten: bool,
    /// How many keyboard modes are stacked for the screen shown, and for the other.
    keyboards: [u16; 2],
}

impl Screen {
    pub(super) fn new(columns: usize, lines: usize, scrollback: usize) -> Screen {
        let outbox = Outbox::default();
        let config = Config {
            scrolling_history: scrollback,
            kitty_keyboard: true,
            ..Config::default()
        };
        Screen {
            term: Term::new(config, &Size { columns, lines }, outbox.clone()),
            outbox,
            colours: Colours::default(),
            x10_mouse: false,
            active: false,
            forgotten: false,
            keyboards: [0, 0],
        }
    }

    pub(super) fn is_alternate(&self) -> bool {
        self.term.mode().contains(TermMode::ALT_SCREEN)
    }

    /// How many characters without a width the cell has that the next one would go to.
    fn zero_width(&self) -> usize {
        let grid = self.term.grid();
        let cursor = &grid.cursor;
        let back = usize::from(!cursor.input_needs_wrap);
        let mut column = Column(cursor.point.column.saturating_sub(back));
        let row = &grid[cursor.point.line];
        if row[column].flags.contains(Flags::WIDE_CHAR_SPACER) {
            column = Column(column.saturating_sub(1));
        }
        row[column].zerowidth().map_or(0, <[char]>::len)
    }

    /// Goes to the alternate screen or back, the cursor staying where it is.
    fn alternate(&mut self, on: bool) {
        if on != self.is_alternate() {
            let cursor = self.term.grid().cursor.clone();
            self.term.swap_alt();
            self.keyboards.swap(0, 1);
            self.term.grid_mut().cursor = cursor;
        }
    }
}

/// Methods that go to `Term` as they are.
macro_rules! pass {
    ($($name:ident($($argument:ident: $kind:ty),*);)*) => {
        $(
            #[inline]
            fn $name(&mut self, $($argument: $kind),*) {
                self.active = true;
                Handler::$name(&mut self.term, $($argument),*);
            }
        )*
    };
}

impl Handler for Screen {
    pass! {
        set_cursor_style(style: Option<CursorStyle>);
        set_cursor_shape(shape: CursorShape);
        goto(line: i32, column: usize);
        goto_line(line: i32);
        goto_col(column: usize);
        insert_blank(count: usize);
        move_up(lines: usize);
        move_down(lines: usize);
        device_status(kind: usize);
        move_forward(columns: usize);
        move_backward(columns: usize);
        move_down_and_cr(lines: usize);
        move_up_and_cr(lines: usize);
        put_tab(count: u16);
        backspace();
        carriage_return();
        linefeed();
        bell();
        newline();
        set_horizontal_tabstop();
        scroll_up(lines: usize);
        scroll_down(lines: usize);
        insert_blank_lines(lines: usize);
        delete_lines(lines: usize);
        erase_chars(count: usize);
        delete_chars(count: usize);
        move_backward_tabs(count: u16);
        move_forward_tabs(count: u16);
        save_cursor_position();
        restore_cursor_position();
        clear_line(mode: LineClearMode);
        clear_tabs(mode: TabulationClearMode);
        reverse_index();
        terminal_attribute(attribute: Attr);
        set_mode(mode: Mode);
        unset_mode(mode: Mode);
        report_mode(mode: Mode);
        set_scrolling_region(top: usize, bottom: Option<usize>);
        set_keypad_application_mode();
        unset_keypad_application_mode();
        set_active_charset(index: CharsetIndex);
        configure_charset(index: CharsetIndex, charset: StandardCharset);
        set_color(index: usize, color: Rgb);
        reset_color(index: usize);
        decaln();
        push_title();
        pop_title();
        text_area_size_chars();
        set_keyboard_mode(mode: KeyboardModes, behavior: KeyboardModesApplyBehavior);
        clipboard_store(clipboard: u8, base64: &[u8]);
    }

    #[inline]
    fn input(&mut self, c: char) {
        self.active = true;
        // U+0300 is the first character that may be without a width.
        if c >= '\u{300}' && c.width() == Some(0) && self.zero_width() >= MOST_ZERO_WIDTH {
            return;
        }
        self.term.input(c);
    }

    /// A title is made harmless before it is kept: there are up to 4096 of them on the stack.
    fn set_title(&mut self, title: Option<String>) {
        self.active = true;
        self.term.set_title(title.map(|title| text::title(&title)));
    }

    /// A link is kept with each character that it was set for, so only those that may be opened are, and those are short.
    /// One that has no id, or too long a one, gets an id of its own from `Term`.
    fn set_hyperlink(&mut self, link: Option<Hyperlink>) {
        self.active = true;
        let link = link.and_then(|link| {
            let uri = text::link(&link.uri)?;
            let id = link.id.filter(|id| id.len() <= text::LONGEST_LINK_ID);
            Some(Hyperlink { id, uri })
        });
        self.term.set_hyperlink(link);
    }

    /// DA1: a VT220 with colours, into whose clipboard can be copied (`CSI c`; 22 and 52 as in xterm's ctlseqs and the
    /// answers of foot, kitty and WezTerm). DA2 is `Term`'s.
    fn identify_terminal(&mut self, intermediate: Option<char>) {
        self.active = true;
        match intermediate {
            None => self.outbox.reply(b"\x1b[?62;22;52c"),
            other => self.term.identify_terminal(other),
        }
    }

    fn clear_screen(&mut self, mode: ClearMode) {
        self.active = true;
        self.forgotten |= matches!(mode, ClearMode::Saved) && !self.is_alternate();
        self.term.clear_screen(mode);
    }

    fn reset_state(&mut self) {
        self.active = true;
        self.forgotten = true;
        self.x10_mouse = false;
        self.keyboards = [0, 0];
        self.term.reset_state();
        self.outbox.send_event(Event::ResetTitle);
    }

    fn set_private_mode(&mut self, mode: PrivateMode) {
        self.active = true;
        match mode {
            PrivateMode::Unknown(mode) if ALTERNATE.contains(&mode) => self.alternate(true),
            PrivateMode::Unknown(SAVE_CURSOR) => self.term.save_cursor_position(),
            PrivateMode::Unknown(X10_MOUSE) => self.x10_mouse = true,
            mode => {
                let alternate = self.is_alternate();
                self.term.set_private_mode(mode);
                if alternate != self.is_alternate() {
                    self.keyboards.swap(0, 1);
                }
            }
        }
    }

    fn unset_private_mode(&mut self, mode: PrivateMode) {
        self.active = true;
        match mode {
            PrivateMode::Unknown(mode) if ALTERNATE.contains(&mode) => self.alternate(false),
            PrivateMode::Unknown(SAVE_CURSOR) => self.term.restore_cursor_position(),
            PrivateMode::Unknown(X10_MOUSE) => self.x10_mouse = false,
            mode => {
                let alternate = self.is_alternate();
                self.term.unset_private_mode(mode);
                if alternate != self.is_alternate() {
                    self.keyboards.swap(0, 1);
                }
            }
        }
    }

    fn report_private_mode(&mut self, mode: PrivateMode) {
        self.active = true;
        let set = match mode {
            PrivateMode::Unknown(mode) if ALTERNATE.contains(&mode) => self.is_alternate(),
            PrivateMode::Unknown(X10_MOUSE) => self.x10_mouse,
            mode => return self.term.report_private_mode(mode),
        };
        let state = if set { 1 } else { 2 };
        let reply = format!("\x1b[?{};{state}$y", mode.raw());
        self.outbox.reply(reply.as_bytes());
    }

    /// Answers OSC 4, 10, 11 and 12 in xterm's form, 16 bits a colour.
    fn dynamic_color_sequence(&mut self, prefix: String, index: usize, terminator: &str) {
        self.active = true;
        if let Some(Rgb { r, g, b }) = self.colours.answer(index, self.term.colors()) {
            let colour = format!("rgb:{r:02x}{r:02x}/{g:02x}{g:02x}/{b:02x}{b:02x}");
            let reply = format!("\x1b]{prefix};{colour}{terminator}");
            self.outbox.reply(reply.as_bytes());
        }
    }

    /// The modes now. `Term` answers with the top of its stack, which `CSI = u` does not change.
    fn report_keyboard_mode(&mut self) {
        self.active = true;
        let flags = [
            TermMode::DISAMBIGUATE_ESC_CODES,
            TermMode::REPORT_EVENT_TYPES,
            TermMode::REPORT_ALTERNATE_KEYS,
            TermMode::REPORT_ALL_KEYS_AS_ESC,
            TermMode::REPORT_ASSOCIATED_TEXT,
        ];
        let mode = *self.term.mode();
        let set = flags.iter().enumerate();
        let bits: u8 = set
            .map(|(at, flag)| u8::from(mode.contains(*flag)) << at)
            .sum();
        self.outbox.reply(format!("\x1b[?{bits}u").as_bytes());
    }

    fn push_keyboard_mode(&mut self, mode: KeyboardModes) {
        self.active = true;
        if self.keyboards[0] < DEEPEST_KEYBOARD {
            self.keyboards[0] += 1;
            self.term.push_keyboard_mode(mode);
        }
    }

    fn pop_keyboard_modes(&mut self, count: u16) {
        self.active = true;
        self.keyboards[0] = self.keyboards[0].saturating_sub(count);
        self.term.pop_keyboard_modes(count);
    }
}
