//! `sistemo network`: networks of machines that reach each other and not those of others.

use std::process::ExitCode;

use clap::Subcommand;
use ipnet::Ipv4Net;
use serde_json::json;
use sistemo::value::Name;

use super::Context;
use super::complete;
use super::each::each;
use super::output::{self, Format, age, details};
use super::report::Failure;

#[derive(Subcommand)]
pub(crate) enum Network {
    /// Make a network
    ///
    /// Machines on one network reach each other; other networks they do not reach.
    #[command(
        after_help = "Examples:\n  sistemo network create lab\n  sistemo network create lab --subnet 10.77.0.0/24\n  sistemo machine deploy debian --network lab"
    )]
    Create {
        /// Its name
        name: Name,
        /// Its addresses [default: the first of 10.201.0.0/24 to 10.254.0.0/24 that nothing else uses]
        #[arg(long, value_name = "CIDR")]
        subnet: Option<Ipv4Net>,
    },
    /// List networks
    #[command(visible_alias = "ls")]
    List,
    /// Show one network
    #[command(visible_alias = "info")]
    Show {
        /// Name
        #[arg(add = complete::networks())]
        name: String,
    },
    /// Delete networks that no machine is on
    #[command(visible_aliases = ["rm", "remove"])]
    Delete {
        /// Names
        #[arg(required = true, value_name = "NAME", add = complete::networks())]
        names: Vec<String>,
    },
}

pub(crate) async fn run(context: &Context, command: Network) -> Result<ExitCode, Failure> {
    let engine = context.engine().await?;
    let machines = engine.machines();
    match command {
        Network::List => list(context, &machines.networks()?),
        Network::Show { name } => show(context, &machines.network(&name)?),
        Network::Create { name, subnet } => {
            let made = machines.create_network(&name, subnet).await?;
            match context.format {
                Format::Json => output::json(&made),
                Format::Table => output::say(&format!("{} created ({})\n", made.name, made.subnet)),
            }
        }
        Network::Delete { names } => {
            let (gone, status) = each(context, &names, async |name| {
                machines.delete_network(name).await?;
                if context.format == Format::Table {
                    output::say(&format!("{name} deleted\n"));
                }
                Ok(json!({ "name": name }))
            })
            .await;
            output::things(context.format, names.len(), &gone);
            return status;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn list(context: &Context, networks: &[sistemo::machine::Network]) {
    if context.format == Format::Json {
        return output::json(&networks);
    }
    let rows = networks.iter().map(|network| {
        vec![
            network.name.clone(),
            network.subnet.to_string(),
            network.gateway.to_string(),
            network.bridge.clone(),
            network.machines.join(","),
            age(&network.created_at),
        ]
    });
    let headings = ["NAME", "SUBNET", "GATEWAY", "BRIDGE", "MACHINES", "AGE"];
    output::say(&output::table(&headings, rows.collect()));
}

fn show(context: &Context, network: &sistemo::machine::Network) {
    if context.format == Format::Json {
        return output::json(network);
    }
    output::say(&details(&[
        ("Name", network.name.clone()),
        ("Subnet", network.subnet.to_string()),
        ("Gateway", network.gateway.to_string()),
        ("Bridge", network.bridge.clone()),
        ("Machines", network.machines.join("\n")),
        ("Created", network.created_at.clone()),
    ]));
}
