//! Which rows a list shows, and in what order.

use std::collections::HashSet;

use super::{columns, wanted};
use crate::tui::model::Model;
use crate::tui::model::list::Basis;
use crate::tui::model::place::View;

/// How many rows the world has for a view.
fn count(model: &Model, view: View) -> usize {
    let world = &model.world;
    match view {
        View::Machines => world.machines.len(),
        View::Volumes => world.volumes.len(),
        View::Images => world.images.len(),
        View::Networks => world.networks.len(),
        View::History => world.history.len(),
        View::Panes => 0,
    }
}

/// What a row is known by, whatever its name.
pub(crate) fn identity(model: &Model, view: View, row: usize) -> Option<String> {
    let world = &model.world;
    match view {
        View::Machines => world.machines.get(row).map(|machine| machine.id.clone()),
        View::Volumes => world.volumes.get(row).map(|volume| volume.id.clone()),
        View::Images => world.images.get(row).map(|image| image.digest.clone()),
        View::Networks => world.networks.get(row).map(|network| network.name.clone()),
        View::History => world.history.get(row).map(|row| row.id.to_string()),
        View::Panes => None,
    }
}

/// What its users call it.
fn name(model: &Model, view: View, row: usize) -> Option<String> {
    let world = &model.world;
    match view {
        View::Machines => world.machines.get(row).map(|machine| machine.name.clone()),
        View::Volumes => world.volumes.get(row).map(|volume| volume.name.clone()),
        View::Images => world.images.get(row).map(|image| image.name.clone()),
        View::Networks => world.networks.get(row).map(|network| network.name.clone()),
        View::History => world.history.get(row).map(|row| row.name.clone()),
        View::Panes => None,
    }
}

/// Finds out anew what a list shows: after the world, the filter or the order have changed. What was selected stays
/// so; where it is gone, its neighbour is.
pub(crate) fn settle(model: &mut Model, view: View, height: usize) {
    let Some(list) = model.lists.get(view) else {
        model.lists.of(view);
        return settle(model, view, height);
    };
    let basis = Basis {
        readings: (model.world.reading, model.samples.reading()),
        count: count(model, view),
        sort: list.sort.clone(),
    };
    // A filter looks at what is done, too, which changes all the time.
    let is_plain = list.filter.text.trim().is_empty() && list.awaited.is_none();
    if is_plain && list.basis.as_ref() == Some(&basis) {
        model.lists.of(view).scroll(height);
        return;
    }
    let mut rows: Vec<usize> = (0..basis.count).collect();
    if !list.filter.text.trim().is_empty() {
        let searched: Vec<_> = wanted(model, view)
            .into_iter()
            .filter(|column| !column.drawn)
            .collect();
        rows.retain(|row| {
            let mut text = String::new();
            for column in &searched {
                text += &column.text(model, *row).to_lowercase();
                text.push('\n');
            }
            list.filter.shows(&text)
        });
    }
    if let Some((id, reverse)) = &list.sort
        && let Some(column) = columns(view).iter().find(|column| column.id == *id)
    {
        rows.sort_by(|one, other| {
            let order = (column.order)(model, *one, *other);
            if *reverse { order.reverse() } else { order }
        });
    }
    let ids: Vec<Option<String>> = rows.iter().map(|row| identity(model, view, *row)).collect();
    let place = |id: &Option<String>| {
        id.as_ref()
            .and_then(|_| ids.iter().position(|known| known == id))
    };
    let awaited = list.awaited.as_ref().and_then(|name_or_id| {
        rows.iter().position(|row| {
            name(model, view, *row).as_ref() == Some(name_or_id)
                || identity(model, view, *row).as_ref() == Some(name_or_id)
        })
    });
    let there: HashSet<&String> = ids.iter().flatten().collect();
    let marked = (list.marked.iter())
        .filter(|id| there.contains(id))
        .cloned()
        .collect();
    let at = awaited
        .or_else(|| place(&list.selected))
        .unwrap_or(list.at)
        .min(rows.len().saturating_sub(1));
    let selected = ids.get(at).cloned().flatten();
    let list = model.lists.of(view);
    list.marked = marked;
    if awaited.is_some() {
        list.awaited = None;
    }
    list.basis = is_plain.then_some(basis);
    list.rows = rows;
    list.at = at;
    list.selected = selected;
    list.scroll(height);
}
