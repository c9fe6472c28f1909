//! `[link]`: the session's section.

use super::{SessionConfig, read_endpoint};
use crate::session::{Endpoint, Rank, Role};
use crate::toml_reader::{Faults, Section};

/// `[link]`.
pub fn link(top: &mut Section, faults: &mut Faults) -> SessionConfig {
    let mut link = Section::new("link", top.table("link", faults));
    let endpoint_at = link.offset("endpoint");
    let number_at = link.offset("phone_number");
    let production_at = link.offset("production_numbers");
    let endpoint = link
        .text("endpoint", faults)
        .and_then(|address| read_endpoint(&address, endpoint_at, faults));
    let session = SessionConfig {
        endpoint: endpoint.unwrap_or_else(service_endpoint),
        phone_number: link
            .text("phone_number", faults)
            .and_then(|number| read_number("phone_number", &number, number_at, faults)),
        qr_prefix: link
            .choice("qr", &[("bare", false), ("prefixed", true)], faults)
            .unwrap_or(false),
        stay_available: link.flag("stay_available", faults).unwrap_or(false),
        role: link
            .choice(
                "role",
                &[
                    ("production", Role::Production),
                    ("staging", Role::Staging),
                    ("development", Role::Development),
                ],
                faults,
            )
            .unwrap_or_default(),
        rank: link
            .choice(
                "rank",
                &[("primary", Rank::Primary), ("secondary", Rank::Secondary)],
                faults,
            )
            .unwrap_or_default(),
        production_numbers: link
            .texts("production_numbers", faults)
            .unwrap_or_default()
            .iter()
            .filter_map(|number| read_number("production_numbers", number, production_at, faults))
            .collect(),
    };
    link.finish(faults);
    session
}

fn service_endpoint() -> Endpoint {
    #[expect(clippy::expect_used, reason = "a constant, which a test parses")]
    Endpoint::new(Endpoint::SERVICE).expect("the service's own address")
}

/// A number as the pairing code wants it: digits with the country code. The bounds are E.164's
/// fifteen digits at most, and the seven that the protocol crate asks for at least.
fn read_number(key: &str, text: &str, at: usize, faults: &mut Faults) -> Option<String> {
    let digits: String = text
        .chars()
        .filter(|c| !matches!(c, ' ' | '-' | '+' | '(' | ')'))
        .collect();
    let plausible = digits.chars().all(|c| c.is_ascii_digit())
        && (7..=15).contains(&digits.len())
        && !digits.starts_with('0');
    if plausible {
        return Some(digits);
    }
    faults.note(
        at,
        format!("`{key}` holds no phone number with a country code"),
        "write all its digits, for Colombia \"57\" first",
    );
    None
}
