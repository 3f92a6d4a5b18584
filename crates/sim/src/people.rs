//! People: elders with their homes, and responders with what they can do and where they are.

use dispatch::RaiseAlert;
use dispatch::Subject;
use model::{
    Certificates, CoordinateSystem, DeviceId, ElderId, ExpiryDay, Kind, OrgUnitCode, Place, ResponderId,
    Skill, Skills, Timestamp, TravelMode,
};
use roster::Member;

use crate::chance::Chance;

/// One day, in milliseconds.
pub const DAY_MS: i64 = 24 * 3600 * 1000;

/// When the first simulated day begins, at midnight UTC.
pub const FIRST_DAY: Timestamp = Timestamp(20_700 * DAY_MS);

/// Somebody who can be sent.
#[derive(Debug, Clone)]
pub struct Responder {
    /// Who.
    pub id: ResponderId,
    /// What the registry says.
    pub member: Member,
    /// The newest position the server has heard of; none after a restart until the next report.
    pub known_fix: Option<(Place, Timestamp)>,
}

/// Somebody to care for.
#[derive(Debug, Clone)]
pub struct Elder {
    /// Who.
    pub id: ElderId,
    /// Where, when the registry knows.
    pub home: Option<Place>,
    /// Village, town or county.
    pub org_unit: Option<OrgUnitCode>,
    /// Lives alone, disabled, or 80 and over.
    pub at_risk: bool,
}

/// Everybody of one world.
#[derive(Debug, Clone)]
pub struct People {
    /// By id, from 0.
    pub responders: Vec<Responder>,
    /// In no order that matters.
    pub elders: Vec<Elder>,
    /// Fixes before this are too old to count.
    pub stale_before: Timestamp,
}

impl People {
    /// A handful who get in each other's way, around one place.
    #[must_use]
    pub fn few(chance: &mut Chance) -> Self {
        let (responders, elders) = (chance.between(2, 4), chance.between(2, 3));
        let reach = chance.pick(&[1_500, 6_000, 14_000]);
        Self::around(chance, responders as u32, elders as u64, reach, 2)
    }

    /// A county of some towns.
    #[must_use]
    pub fn county(chance: &mut Chance, responders: u32, elders: u64) -> Self {
        Self::around(chance, responders, elders, 12_000, 5)
    }

    fn around(chance: &mut Chance, responders: u32, elders: u64, metres: i64, towns: u64) -> Self {
        let centre = Place::new(32.78, 117.95, CoordinateSystem::Wgs84).expect("on the globe");
        let somewhere = |chance: &mut Chance| {
            let (north, east) = (chance.between(-metres, metres), chance.between(-metres, metres));
            centre.offset(north as f64, east as f64)
        };
        let skills = |chance: &mut Chance| -> Skills {
            Skill::ALL.into_iter().filter(|_| !chance.one_in(3)).collect()
        };
        let responders = (0..responders)
            .map(|id| {
                let skills = skills(chance);
                let base = (!chance.one_in(4)).then(|| somewhere(chance));
                let member = Member {
                    skills,
                    base,
                    org_unit: org_unit(chance, towns),
                    travels: chance.pick(&TravelMode::ALL),
                    certificates: certificates(chance),
                };
                let known_fix = (!chance.one_in(5)).then(|| (somewhere(chance), FIRST_DAY));
                Responder { id: ResponderId(id), member, known_fix }
            })
            .collect();
        let elders = (1..=elders)
            .map(|id| Elder {
                id: ElderId(id),
                home: (!chance.one_in(12)).then(|| somewhere(chance)),
                org_unit: org_unit(chance, towns),
                at_risk: chance.one_in(4),
            })
            .collect();
        Self { responders, elders, stale_before: Timestamp(i64::MIN) }
    }

    /// The responder of this number.
    #[must_use]
    pub fn responder(&self, id: ResponderId) -> Option<&Responder> {
        self.responders.get(id.0 as usize)
    }

    /// Where a responder is taken to be: at the newest fix unless it is too old, else at the station.
    #[must_use]
    pub fn whereabouts(&self, id: ResponderId) -> Option<Place> {
        let responder = self.responder(id)?;
        let fresh = responder.known_fix.filter(|(_, at)| *at >= self.stale_before);
        fresh.map(|(place, _)| place).or(responder.member.base)
    }

    /// An alert of `elder` by the button on the wrist, as it would come in right now.
    #[must_use]
    pub fn alert(elder: &Elder, kind: Kind, now: Timestamp) -> RaiseAlert {
        RaiseAlert {
            subject: Subject::Elder(elder.id),
            home: elder.home,
            org_unit: elder.org_unit,
            at_risk: elder.at_risk,
            key: None,
            device: Some(device(elder.id.0)),
            kind,
            source_id: None,
            topic: format!("anhu/v1/button-{}/alert", elder.id),
            device_time: Some(now),
            received_at: now,
            place: None,
            detail: String::new(),
            raw: None,
            retained: false,
            exercise: false,
        }
    }
}

/// The button of this elder.
#[must_use]
pub fn device(elder: u64) -> DeviceId {
    DeviceId::new(&format!("button-{elder}")).expect("a name without wildcards")
}

/// Of one of `towns` towns, some only of the county, some of nowhere in particular.
fn org_unit(chance: &mut Chance, towns: u64) -> Option<OrgUnitCode> {
    let town = 1 + chance.below(towns);
    let village = 201 + chance.below(3);
    let code = match chance.below(8) {
        0 => return None,
        1 => "341181".to_owned(),
        2 => format!("341181{town:03}"),
        3 => format!("341182{town:03}{village}"),
        _ => format!("341181{town:03}{village}"),
    };
    OrgUnitCode::new(&code).ok()
}

/// Some skills need a certificate; some expire on the first day, some tomorrow, some have expired.
fn certificates(chance: &mut Chance) -> Certificates {
    let today = (FIRST_DAY.0 / DAY_MS) as u16;
    let mut certificates = Certificates::NONE;
    for skill in Skill::ALL {
        if chance.one_in(4) {
            let day = chance.pick(&[today - 1, today, today + 1, today + 1, today + 900]);
            certificates = certificates.with(skill, ExpiryDay(day));
        }
    }
    certificates
}
