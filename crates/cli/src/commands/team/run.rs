//! The command: what is done, which way, and what is printed.

use anyhow::{Context, anyhow};
use muster_model::id::RecordId;
use muster_store::{
    Store,
    clock::{Clock, SystemClock},
    credentials::Workspace,
    team::NewMember,
};
use serde::Deserialize;
use serde_json::json;

use super::{
    super::way::{self, checked},
    shown::{ShownMember, table},
};
use crate::{args, client::Client, config::settings::Settings, exit::Exit, output};

const PATH: &str = "/admin/v1/team";

#[derive(Deserialize)]
struct Listed {
    results: Vec<ShownMember>,
}

/// Does it and shows what it brought.
pub fn run(settings: &Settings, args: &args::Team) -> anyhow::Result<Exit> {
    way::require_directory(settings)?;
    let members =
        way::carry_out(settings, async |store: &dyn Store| offline(store, args).await, |client| beside(client, args))?;
    let json = match args {
        args::Team::Add(args) => args.json,
        args::Team::List(args) => args.json,
        args::Team::Remove(args) => args.json,
    };
    match (json, args) {
        (true, args::Team::List(_)) => output::json(&members)?,
        (true, _) => output::json(&members.first())?,
        (false, _) => output::data(&table(&members))?,
    }
    Ok(Exit::Success)
}

/// In a data directory that nobody else uses.
async fn offline(store: &dyn Store, args: &args::Team) -> anyhow::Result<Vec<ShownMember>> {
    let workspace = workspace_named(store, workspace(args))?.id;
    match args {
        args::Team::Add(args) => {
            let new = NewMember { name: args.name.clone(), email: args.email.clone(), added_at: SystemClock.now() };
            Ok(vec![ShownMember::of(&store.add_member(workspace, new).await?)])
        }
        args::Team::List(_) => Ok(store.team(workspace).iter().map(ShownMember::of).collect()),
        args::Team::Remove(args) => {
            let team: Vec<ShownMember> = store.team(workspace).iter().map(ShownMember::of).collect();
            let member = meant(&team, &args.member)?;
            let id = RecordId::parse(&member.id).ok_or_else(|| anyhow!("{} is no id", member.id))?;
            Ok(vec![ShownMember::of(&store.remove_member(workspace, id).await?)])
        }
    }
}

/// By asking the running server.
fn beside(client: &Client, args: &args::Team) -> anyhow::Result<Vec<ShownMember>> {
    // Names of workspaces stand in a query as they are: letters, digits, hyphens and underscores.
    let workspace = workspace(args);
    muster_store::credentials::check_workspace_name(workspace)?;
    let list = || -> anyhow::Result<Vec<ShownMember>> {
        let answer = checked(client.get(&format!("{PATH}?workspace={workspace}")))?;
        let listed: Listed = serde_json::from_str(&answer.body).context("the server's answer is no team")?;
        Ok(listed.results)
    };
    match args {
        args::Team::Add(args) => {
            let body = json!({"email": args.email, "name": args.name}).to_string();
            let answer = checked(client.post(&format!("{PATH}?workspace={workspace}"), body.as_bytes(), None))?;
            Ok(vec![serde_json::from_str(&answer.body).context("the server's answer is no team member")?])
        }
        args::Team::List(_) => list(),
        args::Team::Remove(args) => {
            let member = meant(&list()?, &args.member)?;
            checked(client.delete(&format!("{PATH}/{}?workspace={workspace}", member.id)))?;
            Ok(vec![member])
        }
    }
}

fn workspace(args: &args::Team) -> &str {
    match args {
        args::Team::Add(args) => &args.workspace,
        args::Team::List(args) => &args.workspace,
        args::Team::Remove(args) => &args.workspace,
    }
}

fn workspace_named(store: &dyn Store, name: &str) -> anyhow::Result<Workspace> {
    let found = store.workspaces().into_iter().find(|workspace| workspace.name == name);
    found.ok_or_else(|| anyhow!("there is no workspace {name}; `muster keys create --workspace {name}` makes it"))
}

fn meant(team: &[ShownMember], who: &str) -> anyhow::Result<ShownMember> {
    let found = team.iter().find(|member| member.is(who)).cloned();
    found.ok_or_else(|| anyhow!("there is no team member {who}; `muster team list` shows all"))
}
