//! What holds of a layout, whatever is done to it.

use proptest::prelude::*;

use super::*;

const SCREEN: Rect = Rect {
    x: 0,
    y: 1,
    width: 120,
    height: 39,
};

/// What a user may do to a layout.
#[derive(Clone, Debug)]
enum Deed {
    Split(Axis),
    Close(usize),
    CloseFocused,
    Move(Side),
    Cycle(bool),
    Zoom,
    Resize(Side, u16),
    Drag(usize, u16, u16),
    Swap(bool),
    Equalise,
    Arrange,
    BreakOut,
    OpenTab,
    Select(usize),
    CycleTab(bool),
    Screen(u16, u16),
}

fn deeds() -> impl Strategy<Value = Vec<Deed>> {
    let axis = prop_oneof![Just(Axis::Beside), Just(Axis::Below)];
    let side = || {
        prop_oneof![
            Just(Side::Left),
            Just(Side::Right),
            Just(Side::Up),
            Just(Side::Down)
        ]
    };
    let deed = prop_oneof![
        4 => axis.prop_map(Deed::Split),
        1 => (0..9usize).prop_map(Deed::Close),
        1 => Just(Deed::CloseFocused),
        2 => side().prop_map(Deed::Move),
        1 => any::<bool>().prop_map(Deed::Cycle),
        1 => Just(Deed::Zoom),
        2 => (side(), 0..50u16).prop_map(|(side, cells)| Deed::Resize(side, cells)),
        2 => (0..9usize, 0..300u16, 0..100u16).prop_map(|(n, x, y)| Deed::Drag(n, x, y)),
        1 => any::<bool>().prop_map(Deed::Swap),
        1 => Just(Deed::Equalise),
        1 => Just(Deed::Arrange),
        1 => Just(Deed::BreakOut),
        1 => Just(Deed::OpenTab),
        1 => (0..9usize).prop_map(Deed::Select),
        1 => any::<bool>().prop_map(Deed::CycleTab),
        2 => (0..250u16, 0..80u16).prop_map(|(width, height)| Deed::Screen(width, height)),
    ];
    prop::collection::vec(deed, 0..60)
}

fn act(layout: &mut Layout, screen: &mut Rect, deed: &Deed, fresh: PaneId) {
    let screen_now = *screen;
    match *deed {
        Deed::Split(axis) => {
            let _ = layout.split(fresh, axis, screen_now);
        }
        Deed::Close(n) => {
            if let Some(pane) = layout.panes().get(n) {
                layout.close(*pane);
            }
        }
        Deed::CloseFocused => {
            if let Some(pane) = layout.focus() {
                layout.close(pane);
            }
        }
        Deed::Move(side) => {
            layout.move_focus(side, screen_now);
        }
        Deed::Cycle(onward) => layout.cycle_focus(onward),
        Deed::Zoom => layout.toggle_zoom(),
        Deed::Resize(side, cells) => {
            layout.resize(side, cells, screen_now);
        }
        Deed::Drag(n, x, y) => {
            if let Some(border) = layout.placed(screen_now).borders.get(n) {
                layout.drag(&border.path, (x, y), screen_now);
            }
        }
        Deed::Swap(onward) => layout.swap(onward),
        Deed::Equalise => layout.equalise(),
        Deed::Arrange => {
            layout.arrange_next();
        }
        Deed::BreakOut => {
            layout.break_out();
        }
        Deed::OpenTab => layout.open_tab(fresh),
        Deed::Select(tab) => {
            layout.select_tab(tab);
        }
        Deed::CycleTab(onward) => layout.cycle_tab(onward),
        Deed::Screen(width, height) => *screen = Rect::new(3, 1, width, height),
    }
}

fn ratios(node: &Node) -> Vec<u16> {
    match node {
        Node::Pane(_) => Vec::new(),
        Node::Split(split) => {
            let mut all = vec![split.ratio];
            all.extend(ratios(&split.first));
            all.extend(ratios(&split.second));
            all
        }
    }
}

/// Every cell of the screen belongs to one pane or to one line between two.
fn tiles(placed: &Placed, screen: Rect) {
    let mut covered = vec![0u8; usize::from(screen.width) * usize::from(screen.height)];
    let between = placed
        .borders
        .iter()
        .filter(|border| border.axis == Axis::Beside);
    let areas = placed.panes.iter().map(|(_, area)| *area);
    for area in areas.chain(between.map(|border| border.line)) {
        assert_eq!(area.intersection(screen).area(), area.area());
        for at in area.positions() {
            let (x, y) = (at.x - screen.x, at.y - screen.y);
            covered[usize::from(y) * usize::from(screen.width) + usize::from(x)] += 1;
        }
    }
    assert!(covered.iter().all(|count| *count == 1));
}

proptest! {
    #[test]
    fn ratios_stay_valid_rectangles_tile_and_somebody_has_the_keys(deeds in deeds()) {
        let (mut layout, mut screen) = (Layout::default(), SCREEN);
        for (fresh, deed) in (0..).zip(&deeds) {
            act(&mut layout, &mut screen, deed, PaneId(fresh));
            prop_assert!(layout.current() < layout.tabs().len() || layout.tabs().is_empty());
            let mut panes = layout.panes();
            let count = panes.len();
            panes.sort_unstable();
            panes.dedup();
            prop_assert_eq!(panes.len(), count, "a pane is in two places");
            for tab in layout.tabs() {
                prop_assert!(tab.panes().contains(&tab.focus()));
                prop_assert!(ratios(tab.root()).iter().all(|ratio| (1..WHOLE).contains(ratio)));
                let placed = tab.placed(screen);
                prop_assert!(placed.of(tab.focus()).is_some());
                tiles(&placed, screen);
            }
        }
    }

    #[test]
    fn a_screen_that_shrinks_and_grows_again_looks_as_before(deeds in deeds(), width in 0..250u16, height in 0..80u16) {
        let (mut layout, mut screen) = (Layout::default(), SCREEN);
        for (fresh, deed) in (0..).zip(&deeds) {
            act(&mut layout, &mut screen, deed, PaneId(fresh));
        }
        let before = layout.placed(SCREEN);
        let _ = layout.placed(Rect::new(0, 0, width, height));
        prop_assert_eq!(layout.placed(SCREEN), before);
    }

    #[test]
    fn a_border_goes_where_it_is_dragged_or_as_far_as_it_can(x in 0..130u16) {
        let mut layout = Layout::default();
        layout.open_tab(PaneId(0));
        layout.split(PaneId(1), Axis::Beside, SCREEN).unwrap();
        layout.drag(&[], (x, 9), SCREEN);
        let line = layout.placed(SCREEN).borders[0].line;
        prop_assert_eq!(line.x, x.clamp(LEAST.0, SCREEN.width - 1 - LEAST.0));
    }
}

/// Two columns, the right one of two panes; the last has the keys.
fn three() -> Layout {
    let mut layout = Layout::default();
    layout.open_tab(PaneId(1));
    layout.split(PaneId(2), Axis::Beside, SCREEN).unwrap();
    layout.split(PaneId(3), Axis::Below, SCREEN).unwrap();
    layout
}

#[test]
fn splits_share_what_there_is() {
    let placed = three().placed(SCREEN);
    assert_eq!(
        placed.panes,
        [
            (PaneId(1), Rect::new(0, 1, 60, 39)),
            (PaneId(2), Rect::new(61, 1, 59, 20)),
            (PaneId(3), Rect::new(61, 21, 59, 19)),
        ]
    );
}

#[test]
fn focus_goes_to_the_neighbour_that_had_it_last() {
    let mut layout = three();
    assert!(layout.move_focus(Side::Left, SCREEN));
    assert_eq!(layout.focus(), Some(PaneId(1)));
    assert!(!layout.move_focus(Side::Left, SCREEN));
    assert!(layout.move_focus(Side::Right, SCREEN));
    assert_eq!(layout.focus(), Some(PaneId(3)));
    assert!(layout.move_focus(Side::Up, SCREEN));
    assert!(layout.move_focus(Side::Left, SCREEN));
    assert!(layout.move_focus(Side::Right, SCREEN));
    assert_eq!(layout.focus(), Some(PaneId(2)));
}

#[test]
fn the_neighbour_grows_when_a_pane_is_closed() {
    let mut layout = three();
    layout.close(PaneId(3));
    assert_eq!(layout.focus(), Some(PaneId(2)));
    let placed = layout.placed(SCREEN);
    assert_eq!(placed.of(PaneId(2)), Some(Rect::new(61, 1, 59, 39)));
}

#[test]
fn a_split_without_room_is_refused() {
    let mut layout = Layout::default();
    let small = Rect::new(0, 0, 40, 9);
    layout.open_tab(PaneId(0));
    for axis in [Axis::Beside, Axis::Below] {
        assert_eq!(layout.split(PaneId(1), axis, small), Err(NoRoom));
    }
    assert_eq!(
        NoRoom.to_string(),
        "no room for another pane here: each needs 20 columns and 5 lines"
    );
    layout
        .split(PaneId(1), Axis::Beside, Rect::new(0, 0, 41, 9))
        .unwrap();
}

#[test]
fn resizing_by_keyboard_moves_the_nearest_border_and_stops_at_the_least() {
    let mut layout = three();
    assert!(layout.resize(Side::Left, 2, SCREEN));
    assert!(layout.resize(Side::Down, 3, SCREEN));
    let placed = layout.placed(SCREEN);
    assert_eq!(placed.of(PaneId(3)), Some(Rect::new(59, 24, 61, 16)));
    assert!(layout.resize(Side::Right, 99, SCREEN));
    assert!(!layout.resize(Side::Right, 1, SCREEN));
    assert_eq!(
        layout.placed(SCREEN).of(PaneId(3)).map(|area| area.width),
        Some(LEAST.0)
    );
}

#[test]
fn panes_are_equalised_swapped_and_arranged() {
    let mut layout = Layout::default();
    layout.open_tab(PaneId(1));
    layout.split(PaneId(2), Axis::Beside, SCREEN).unwrap();
    layout.split(PaneId(3), Axis::Beside, SCREEN).unwrap();
    layout.equalise();
    let widths = |layout: &Layout| -> Vec<(u32, u16, u16)> {
        let placed = layout.placed(SCREEN);
        let each = placed.panes.iter();
        each.map(|(pane, area)| (pane.0, area.width, area.height))
            .collect()
    };
    assert_eq!(widths(&layout), [(1, 40, 39), (2, 39, 39), (3, 39, 39)]);
    layout.swap(true);
    assert_eq!(widths(&layout), [(3, 40, 39), (2, 39, 39), (1, 39, 39)]);
    assert_eq!(layout.focus(), Some(PaneId(3)));
    assert_eq!(layout.arrange_next(), Some(Arrangement::EvenHorizontal));
    assert_eq!(layout.arrange_next(), Some(Arrangement::EvenVertical));
    assert_eq!(widths(&layout), [(3, 120, 13), (2, 120, 13), (1, 120, 13)]);
    assert_eq!(layout.arrange_next(), Some(Arrangement::Tiled));
    assert_eq!(widths(&layout), [(3, 60, 20), (2, 59, 20), (1, 120, 19)]);
}

#[test]
fn a_zoomed_pane_has_the_screen_until_another_gets_the_keys() {
    let mut layout = three();
    layout.toggle_zoom();
    assert_eq!(layout.placed(SCREEN).panes, [(PaneId(3), SCREEN)]);
    layout.move_focus(Side::Left, SCREEN);
    assert_eq!(layout.placed(SCREEN).panes.len(), 3);
}

#[test]
fn a_pane_moves_to_a_tab_of_its_own_and_tabs_go_with_their_last_pane() {
    let mut layout = three();
    assert!(layout.break_out());
    assert!(!layout.break_out());
    assert_eq!((layout.current(), layout.tabs().len()), (1, 2));
    layout.cycle_tab(true);
    assert_eq!(layout.current(), 0);
    layout.close(PaneId(1));
    layout.close(PaneId(2));
    assert_eq!((layout.current(), layout.focus()), (0, Some(PaneId(3))));
    layout.close(PaneId(3));
    assert_eq!(layout, Layout::default());
}
