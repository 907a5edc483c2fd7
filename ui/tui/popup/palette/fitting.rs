//! Which of what the palette offers fits what is typed, the best first.

use std::cmp::Reverse;

use nucleo_matcher::pattern::{CaseMatching, Normalization, Pattern};
use nucleo_matcher::{Config, Matcher, Utf32Str};

use super::offers::{Offer, What};
use crate::tui::action::{Action, spec_of};
use crate::tui::model::Model;
use crate::tui::view::text::harmless;

/// As many as are shown at most: nobody looks further.
const MOST: usize = 200;
/// Scores that differ by less are as good as the same: a letter at the beginning of a word counts as much.
const NEAR: u32 = 10;

/// What is done with a machine by a word and its name.
const VERBS: [(&str, Action); 12] = [
    ("Shell", Action::Shell),
    ("Log", Action::BootLog),
    ("Open", Action::Open),
    ("Start", Action::Start),
    ("Stop", Action::Stop),
    ("Restart", Action::Restart),
    ("Pause", Action::Pause),
    ("Resume", Action::Resume),
    ("Snapshot", Action::Snapshot),
    ("Fork", Action::Fork),
    ("Rename", Action::Rename),
    ("Delete", Action::Delete),
];

/// What is done with any machine, once the line has a word for it and more: there may be a thousand machines, and the
/// word alone means the one that is selected.
fn with_machines(line: &str, model: &Model) -> Vec<Offer> {
    let Some((word, _)) = line.split_once(char::is_whitespace) else {
        return Vec::new();
    };
    let word = word.to_lowercase();
    let is_meant = |verb: &str| word.len() > 1 && verb.to_lowercase().starts_with(word.as_str());
    let mut offers = Vec::new();
    for (verb, action) in VERBS.iter().filter(|(verb, _)| is_meant(verb)) {
        let aside = spec_of(*action).map_or("", |spec| spec.id);
        offers.extend(model.world.machines.iter().map(|machine| Offer {
            what: What::With(machine.id.clone(), *action),
            name: (*verb).into(),
            target: Some(harmless(&machine.name).into_owned()),
            aside,
            aliases: &[],
            weight: 0,
        }));
    }
    offers
}

/// Those that fit a line, the best first. `recent` are names and lines that were used, the newest last.
pub(super) fn fitting(line: &str, all: &[Offer], recent: &[String], model: &Model) -> Vec<Offer> {
    let line = line.trim();
    let newest = |offer: &Offer| {
        let (text, name) = (offer.text(), &offer.name);
        recent
            .iter()
            .rposition(|known| *known == text || known == name)
            .map_or(0, |at| at + 1)
    };
    if line.is_empty() {
        // A list of everything is read from its top: what was used of late, what can be done here.
        let actions = all
            .iter()
            .filter(|offer| matches!(offer.what, What::Action(_) | What::There(..)));
        let mut offers: Vec<_> = actions
            .map(|offer| (offer.why_not(model).is_some(), offer))
            .collect();
        offers.sort_by_cached_key(|(is_out, offer)| {
            (
                Reverse(newest(offer) * usize::from(!is_out)),
                *is_out,
                Reverse(offer.weight),
            )
        });
        return offers.into_iter().map(|(_, offer)| offer.clone()).collect();
    }
    let pattern = Pattern::parse(line, CaseMatching::Ignore, Normalization::Smart);
    let mut matcher = Matcher::new(Config::DEFAULT);
    let mut buffer = Vec::new();
    let of_machines = with_machines(line, model);
    let mut scored = Vec::new();
    for offer in all.iter().chain(&of_machines) {
        let is_meant = offer.aliases.contains(&line.to_lowercase().as_str());
        let text = format!("{} {}", offer.text(), offer.aside);
        let score = pattern.score(Utf32Str::new(&text, &mut buffer), &mut matcher);
        if score.is_some() || is_meant {
            scored.push((is_meant, score.unwrap_or(0), offer));
        }
    }
    scored.sort_by_key(|(is_meant, score, _)| (Reverse(*is_meant), Reverse(*score)));
    // The rest is not looked at by anybody, and whether it can be done takes time to find out.
    scored.truncate(2 * MOST);
    let best = scored.first().map_or(0, |(_, score, _)| *score);
    scored.sort_by_cached_key(|(is_meant, score, offer)| {
        let is_out = offer.why_not(model).is_some();
        // What fits as well as anything is in the order of its use, and what cannot be done stands back a little.
        let is_among_the_best = *score + NEAR > best && !is_out;
        let used = if is_among_the_best { newest(offer) } else { 0 };
        let score = if is_out {
            score.saturating_sub(NEAR)
        } else {
            *score
        };
        (
            Reverse(*is_meant),
            Reverse(used),
            Reverse(score),
            Reverse(offer.weight),
            offer.text().len(),
        )
    });
    let mut offers: Vec<Offer> = Vec::new();
    for (_, _, offer) in scored {
        // The same with the machine that is selected anyway.
        if !offers
            .iter()
            .any(|known| known.text() == offer.text() && known.aside == offer.aside)
        {
            offers.push(offer.clone());
        }
        if offers.len() == MOST {
            break;
        }
    }
    offers
}
