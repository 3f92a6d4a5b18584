//! `anhu devices`: which homes have not been heard of, and by what do devices come in?

use std::io;

use anyhow::Context as _;
use jiff::{Span, SpanRelativeTo, Timestamp};
use wire::v1::{
    self, access_service_client::AccessServiceClient, registry_service_client::RegistryServiceClient,
};

use crate::client::{Channel, Server};

/// Devices asked for at once.
const PAGE: i32 = 1000;

/// See how the devices of a running server are
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// List devices of elders that were not heard since then, or never, as CSV
    ///
    /// After an outage these are the homes to call. What was heard in the last minutes before a crash
    /// may be missing, and last_heard is empty when nothing is known. It holds personal data.
    ///
    /// Example: anhu devices silent --since 24h
    /// Example: anhu devices silent --since 2026-03-01T08:00:00+08:00 > to-call.csv
    /// Example: ANHU_TOKEN=$(anhu token) anhu devices silent --since 2d --server http://10.0.0.5:8080
    #[command(verbatim_doc_comment)]
    Silent(Silent),
    /// Give a device a key of its own, and print it: its MQTT password. The one before holds no more
    ///
    /// Example: anhu devices add-key wrist-1
    #[command(verbatim_doc_comment)]
    AddKey(Named),
    /// Take the key of a device back at once
    RevokeKey(Named),
}

#[derive(Debug, clap::Args)]
pub(crate) struct Named {
    /// The id of the device
    device: String,
    #[command(flatten)]
    server: Server,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Silent {
    /// Since when: a time, or how long ago, such as 90m, 24h or 2d
    #[arg(long, value_name = "TIME", value_parser = moment)]
    since: Timestamp,
    #[command(flatten)]
    server: Server,
}

/// One line of the list.
type Row = [String; 5];

pub(crate) fn run(command: &Command) -> anyhow::Result<()> {
    let runtime = super::serve::runtime()?;
    match command {
        Command::Silent(arguments) => list_silent(arguments, &runtime),
        Command::AddKey(Named { device, server }) => {
            println!("{}", runtime.block_on(add_key(device, server))?);
            Ok(())
        }
        Command::RevokeKey(Named { device, server }) => runtime.block_on(revoke_key(device, server)),
    }
}

async fn add_key(device: &str, server: &Server) -> anyhow::Result<String> {
    let mut client = AccessServiceClient::new(server.connect().await?);
    let request = v1::CreateDeviceKeyRequest { device: format!("devices/{device}") };
    let made = client.create_device_key(request).await.map_err(|status| server.explain(&status))?;
    Ok(made.into_inner().secret)
}

async fn revoke_key(device: &str, server: &Server) -> anyhow::Result<()> {
    let mut client = AccessServiceClient::new(server.connect().await?);
    let request = v1::RevokeDeviceKeyRequest { device: format!("devices/{device}") };
    client.revoke_device_key(request).await.map_err(|status| server.explain(&status))?;
    Ok(())
}

fn list_silent(arguments: &Silent, runtime: &tokio::runtime::Runtime) -> anyhow::Result<()> {
    let rows = runtime.block_on(silent(arguments))?;
    let mut table = csv::Writer::from_writer(io::stdout().lock());
    table.write_record(["device", "last_heard", "elder", "name", "phone"])?;
    rows.iter().try_for_each(|row| table.write_record(row))?;
    table.flush()?;
    eprintln!("{} silent since {}", rows.len(), arguments.since);
    Ok(())
}

async fn silent(arguments: &Silent) -> anyhow::Result<Vec<Row>> {
    let Silent { since, server } = arguments;
    let mut client = RegistryServiceClient::new(server.connect().await?);
    let silent_since =
        prost_types::Timestamp { seconds: since.as_second(), nanos: since.subsec_nanosecond() };
    let (mut rows, mut page_token) = (Vec::new(), String::new());
    loop {
        let request =
            v1::ListDevicesRequest { page_size: PAGE, page_token, silent_since: Some(silent_since) };
        let page = client.list_devices(request).await.map_err(|status| server.explain(&status))?.into_inner();
        for device in page.devices {
            rows.push(row(&mut client, server, device).await?);
        }
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return Ok(rows);
        }
    }
}

/// A device, when it was last heard, and whom to call.
async fn row(
    client: &mut RegistryServiceClient<Channel>,
    server: &Server,
    device: v1::Device,
) -> anyhow::Result<Row> {
    let request = v1::GetElderRequest { name: device.elder.clone() };
    let answer = client.get_elder(request).await.map_err(|status| server.explain(&status))?;
    let elder = answer.into_inner().elder.unwrap_or_default();
    let heard = device.last_seen_at.and_then(|at| Timestamp::new(at.seconds, at.nanos).ok());
    let heard = heard.map(|at| at.to_string()).unwrap_or_default();
    Ok([device.device_id, heard, device.elder, elder.display_name, elder.phone])
}

/// A time, or how long ago.
fn moment(text: &str) -> anyhow::Result<Timestamp> {
    if let Ok(time) = text.parse() {
        return Ok(time);
    }
    let form = "write a time such as 2026-03-01T08:00:00+08:00, or how long ago, such as 90m, 24h or 2d";
    let ago: Span = text.parse().context(form)?;
    let ago = ago.to_duration(SpanRelativeTo::days_are_24_hours()).context(form)?;
    anyhow::ensure!(ago.is_positive(), form);
    Timestamp::now().checked_sub(ago).context(form)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn since_is_a_time_or_how_long_ago() {
        assert_eq!(moment("2026-03-01T08:00:00+08:00").expect("a time").as_second(), 1_772_323_200);
        for (text, seconds) in [("90m", 5400), ("24h", 86_400), ("2d", 172_800), ("1d 12h", 129_600)] {
            let ago = Timestamp::now().as_second() - moment(text).expect("a length").as_second();
            assert!((seconds..seconds + 60).contains(&ago), "{text}: {ago}");
        }
        for faulty in ["", "yesterday", "24", "-24h", "0s", "99999y"] {
            let told = moment(faulty).expect_err("no time").to_string();
            assert!(told.starts_with("write a time such as"), "{faulty}: {told}");
        }
    }
}
