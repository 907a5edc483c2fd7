//! The first line: this computer, and how much of it is in use. What there is no room for is left out whole, the least
//! important first.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget;
use sistemo::store::machines::Status;
use sistemo::value::ByteSize;
use unicode_width::UnicodeWidthStr;

use super::spark;
use super::text::harmless;
use crate::tui::model::Model;

/// A fact: its name, its value, and how much it matters. Short forms are for narrow screens.
struct Fact {
    name: &'static str,
    value: String,
    scope: &'static str,
    weight: u8,
}

pub(super) fn draw(model: &Model, area: Rect, buffer: &mut Buffer) {
    if area.height == 0 {
        return;
    }
    buffer.set_style(area, model.theme.style("header"));
    let mut facts = facts(model);
    let separator = format!(" {} ", model.theme.glyphs().separator);
    let width = |facts: &[Fact]| -> usize {
        let texts = facts.iter().map(|fact| {
            fact.name.width() + usize::from(!fact.name.is_empty()) + fact.value.width()
        });
        texts.sum::<usize>() + separator.width() * facts.len().saturating_sub(1) + 2
    };
    while facts.len() > 1 && width(&facts) > usize::from(area.width) {
        let least = (0..facts.len())
            .min_by_key(|at| facts[*at].weight)
            .unwrap_or(0);
        facts.remove(least);
    }
    let mut spans = vec![Span::raw(" ")];
    for (number, fact) in facts.iter().enumerate() {
        if number > 0 {
            spans.push(Span::styled(separator.clone(), model.theme.style("header")));
        }
        if !fact.name.is_empty() {
            spans.push(Span::styled(
                format!("{} ", fact.name),
                model.theme.style("header"),
            ));
        }
        spans.push(Span::styled(
            fact.value.clone(),
            model.theme.style(fact.scope),
        ));
    }
    Line::from(spans).render(area, buffer);
}

fn facts(model: &Model) -> Vec<Fact> {
    let host = &model.host;
    let roomy = model.size.0 >= 110;
    let mut facts = vec![Fact {
        name: "",
        value: format!(
            "sistemo{}",
            if host.name.is_empty() {
                String::new()
            } else {
                format!("@{}", harmless(&host.name))
            }
        ),
        scope: "title",
        weight: 200,
    }];
    let mut fact = |name, value, scope, weight| {
        facts.push(Fact {
            name,
            value,
            scope,
            weight,
        });
    };
    if let Some(accelerator) = &host.accelerator {
        fact("", accelerator.to_uppercase(), "header.value", 90);
    }
    if let Some(percent) = host.busy_percent {
        let scope = if percent > 90.0 {
            "gauge.high"
        } else {
            "header.value"
        };
        let mut value = format!("{percent:.0}%");
        if roomy {
            value = format!(
                "{} {value} of {}",
                spark::gauge(percent / 100.0, 8, model.theme.glyphs()),
                host.processors
            );
        }
        fact("cpu", value, scope, 150);
    }
    if let Some((total, available)) = host.memory {
        let used = total.as_u64().saturating_sub(available.as_u64());
        fact(
            "mem",
            used_of(model, used, total, roomy),
            high(used, total),
            140,
        );
    }
    if let Some((total, free)) = host.disk {
        let used = total.as_u64().saturating_sub(free.as_u64());
        fact(
            "disk",
            used_of(model, used, total, roomy),
            high(used, total),
            130,
        );
    }
    if model.world.is_known {
        let machines = &model.world.machines;
        let count = |status| {
            machines
                .iter()
                .filter(|machine| machine.status == status)
                .count()
        };
        let (running, failed) = (count(Status::Running), count(Status::Failed));
        fact(
            "",
            format!("{running}/{} up", machines.len()),
            "header.value",
            160,
        );
        if failed > 0 {
            fact(
                "",
                format!("{} {failed} failed", model.theme.glyphs().failed),
                "machine.failed",
                170,
            );
        }
    }
    facts
}

fn used_of(model: &Model, used: u64, total: ByteSize, roomy: bool) -> String {
    let share = used as f64 / total.as_u64().max(1) as f64;
    match roomy {
        true => format!(
            "{} {} of {total}",
            spark::gauge(share, 8, model.theme.glyphs()),
            ByteSize::bytes(used)
        ),
        false => format!("{:.0}%", share * 100.0),
    }
}

fn high(used: u64, total: ByteSize) -> &'static str {
    match used as f64 > total.as_u64() as f64 * 0.9 {
        true => "gauge.high",
        false => "header.value",
    }
}
