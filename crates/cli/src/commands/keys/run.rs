//! The command: which way, and what is printed.

use muster_store::{
    Store,
    credentials::{Scopes, check_workspace_name},
};

use super::{
    super::way,
    beside, offline,
    shown::{ShownKey, table},
};
use crate::{
    args,
    config::settings::Settings,
    exit::{Exit, Failure},
    output,
};

/// What is to be done, checked as far as that goes without a store.
#[derive(Debug, PartialEq, Eq)]
pub enum Order {
    Create { workspace: String, scopes: Scopes, name: String },
    List,
    Revoke { id: u64 },
}

/// Does it and shows what it brought.
pub fn run(settings: &Settings, args: &args::Keys) -> anyhow::Result<Exit> {
    let order = order(args)?;
    if !matches!(order, Order::Create { .. }) {
        way::require_directory(settings)?;
    }
    match args {
        args::Keys::Create(args) => {
            let keys = carry_out(settings, &order)?;
            show_created(&keys, args.json)?;
        }
        args::Keys::List(args) => {
            let mut keys = carry_out(settings, &order)?;
            keys.retain(|key| args.workspace.as_ref().is_none_or(|workspace| key.workspace == *workspace));
            if args.json { output::json(&keys)? } else { output::data(&table(&keys))? }
        }
        args::Keys::Revoke(args) => {
            if let Some(workspace) = &args.workspace {
                check_owner(&carry_out(settings, &Order::List)?, args.id, workspace)?;
            }
            let keys = carry_out(settings, &order)?;
            if args.json { output::json(&keys.first())? } else { output::data(&table(&keys))? }
        }
    }
    Ok(Exit::Success)
}

fn order(args: &args::Keys) -> anyhow::Result<Order> {
    let usage = |says: String| Failure::error(Exit::Usage, says);
    match args {
        args::Keys::Create(args) => {
            let scopes = Scopes::parse(&args.scope).map_err(|says| usage(format!("--scope {}: {says}", args.scope)))?;
            check_workspace_name(&args.workspace)
                .map_err(|error| usage(format!("--workspace {:?}: {error}", args.workspace)))?;
            Ok(Order::Create { workspace: args.workspace.clone(), scopes, name: args.name.clone() })
        }
        args::Keys::List(_) => Ok(Order::List),
        args::Keys::Revoke(args) => Ok(Order::Revoke { id: args.id }),
    }
}

fn carry_out(settings: &Settings, order: &Order) -> anyhow::Result<Vec<ShownKey>> {
    way::carry_out(
        settings,
        async |store: &dyn Store| offline::carry_out(store, order).await,
        |client| beside::carry_out(client, order),
    )
}

fn check_owner(keys: &[ShownKey], id: u64, workspace: &str) -> anyhow::Result<()> {
    if keys.iter().any(|key| key.id == id && key.workspace == workspace) {
        return Ok(());
    }
    Err(Failure::error(
        Exit::Failure,
        format!("there is no key {id} in workspace {workspace}; `muster keys list` shows all"),
    ))
}

fn show_created(keys: &[ShownKey], json: bool) -> anyhow::Result<()> {
    let Some(key) = keys.first() else { return Ok(()) };
    if json {
        return output::json(key);
    }
    let (scopes, workspace) = (key.scopes.join(","), &key.workspace);
    output::talk(&format!("key {} of workspace {workspace}, scopes {scopes}; its token is shown this once:", key.id));
    output::data(&format!("{}\n", key.token.as_deref().unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    fn check(line: &str) -> anyhow::Result<Order> {
        let cli = args::Cli::try_parse_from(line.split(' ')).unwrap();
        let Some(args::Command::Keys(keys)) = cli.command else { panic!("{line}") };
        order(&keys)
    }

    #[test]
    fn orders_are_checked_before_anything_is_opened() {
        let create = Order::Create { workspace: "default".to_owned(), scopes: Scopes::ALL, name: String::new() };
        assert_eq!(check("muster keys create").unwrap(), create);
        assert_eq!(check("muster keys revoke 7").unwrap(), Order::Revoke { id: 7 });
        for wrong in ["muster keys create --scope root", "muster keys create --workspace A/B"] {
            let error = check(wrong).unwrap_err();
            assert_eq!(crate::exit::of(&error), Exit::Usage, "{error}");
        }
    }

    #[test]
    fn a_key_is_ended_only_in_its_own_workspace() {
        let key = |id, workspace: &str| ShownKey {
            id,
            workspace: workspace.to_owned(),
            name: String::new(),
            scopes: vec![],
            created_at: String::new(),
            revoked_at: None,
            token: None,
        };
        let keys = [key(1, "a"), key(2, "b")];
        assert!(check_owner(&keys, 1, "a").is_ok());
        assert!(check_owner(&keys, 2, "a").is_err());
    }
}
