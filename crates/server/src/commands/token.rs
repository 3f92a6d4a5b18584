//! `anhu token`: what must be shown to come in?

use anyhow::Context as _;

use crate::{
    config::{self, Overrides},
    token,
};

/// Print the server's own token, which may do everything; makes one if there is none
///
/// gRPC clients send it as `authorization: Bearer TOKEN`, devices as the MQTT password.
/// Example: mosquitto_pub -u device -P "$(anhu token)" -t anhu/v1/zb-1/alert -q 1 -m '{"kind":"sos"}'
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Arguments {
    #[command(flatten)]
    overrides: Overrides,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let checked = config::load(&arguments.overrides)?;
    let folder = &checked.config.data_dir;
    let token =
        token::token(folder).with_context(|| format!("no token can be kept in {}", folder.display()))?;
    println!("{token}");
    Ok(())
}
