//! Decide: is a wish granted, and what happens then?

use model::Timestamp;

use crate::{
    Command, Event, Rejection, State, device, draft::Draft, elder, import, org_unit, provider, responder,
};

/// Returns what happens when `command` is granted, to be given to [`State::evolve`] in this order.
///
/// `now` is the time the command arrived. Logarithmic in the number of records for each record of the command.
///
/// # Errors
/// [`Rejection`] with every fault of the command: a field that breaks a rule, a reference to what is not there, or a
/// record that is there already.
pub fn decide(state: &State, now: Timestamp, command: Command) -> Result<Vec<Event>, Rejection> {
    let mut draft = Draft::new(state, now);
    match command {
        Command::CreateOrgUnit(wish) => org_unit::create(&mut draft, wish),
        Command::CreateProvider(wish) => provider::create(&mut draft, wish),
        Command::CreateResponder(wish) => responder::create(&mut draft, wish),
        Command::CreateElder(wish) => elder::create(&mut draft, wish),
        Command::CreateDevice(wish) => device::create(&mut draft, wish),
        Command::BindDevice { device, elder, from } => device::bind(&mut draft, device, elder, from),
        Command::UnbindDevice { device, until } => device::unbind(&mut draft, device, until),
        Command::Import(file) => import::apply(&mut draft, file),
    }
    draft.finish()
}
