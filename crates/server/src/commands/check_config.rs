//! `anhu check-config`: would the server start with this, and could it tell whom it must?

use crate::config::{self, Overrides};

/// Check the configuration and the policy, and tell every fault at once
///
/// Example: anhu check-config --config /etc/anhu/anhu.toml
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Arguments {
    #[command(flatten)]
    overrides: Overrides,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let checked = config::check(&arguments.overrides)?;
    println!("the configuration is sound");
    println!("  data folder   {}", checked.config.data_dir.display());
    println!("  http          {}", checked.http_listen);
    println!("  mqtt          {}", checked.mqtt_listen);
    println!("  policy        version {}", checked.policy.version());
    for route in &checked.config.routes {
        println!("  route         {} -> {}", route.filter, route.profile);
    }
    for webhook in &checked.config.webhooks {
        println!(
            "  webhook       {} ({:?}) is told of {}",
            webhook.name,
            webhook.url,
            webhook.events.join(", ")
        );
    }
    if let Some(address) = &checked.config.watchdog.ping_url {
        println!("  monitor       {address:?} is told after each round of the watchdog");
    }
    for link in &checked.config.links {
        println!("  link          {} ({})", link.name, link.url);
    }
    Ok(())
}
