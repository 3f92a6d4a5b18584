//! `anhu users`: who may sign in, and what may they do?

use anyhow::Context as _;
use wire::v1::{self, access_service_client::AccessServiceClient};

use crate::client::{Channel, Server};

/// Users asked for at once.
const PAGE: i32 = 1000;

/// Let people and programs in, change what they may do, turn them away
///
/// On the server's machine, ANHU_TOKEN=$(anhu token) may do everything.
#[derive(Debug, clap::Subcommand)]
#[command(verbatim_doc_comment)]
pub(crate) enum Command {
    /// List users, what they may do, and their keys
    List {
        #[command(flatten)]
        server: Server,
    },
    /// Let somebody in, and print the password with which they choose their own
    ///
    /// Example: anhu users add wang --name 王芳 --grant operator=orgUnits/341181
    /// Example: anhu users add boss --name 李强 --grant administrator
    #[command(verbatim_doc_comment)]
    Add {
        /// What they sign in with: small letters, digits and . _ - @
        login: String,
        /// What they are called
        #[arg(long)]
        name: String,
        #[command(flatten)]
        grants: Grants,
        #[command(flatten)]
        server: Server,
    },
    /// Change what somebody may do; they must sign in again
    ///
    /// Example: anhu users grant wang --grant supervisor=orgUnits/341181
    #[command(verbatim_doc_comment)]
    Grant {
        /// Who
        login: String,
        #[command(flatten)]
        grants: Grants,
        #[command(flatten)]
        server: Server,
    },
    /// Turn somebody away at once; their records stay
    Disable {
        /// Who
        login: String,
        #[command(flatten)]
        server: Server,
    },
    /// Let somebody in again who was turned away
    Enable {
        /// Who
        login: String,
        #[command(flatten)]
        server: Server,
    },
    /// Print a password with which somebody chooses another; they are out until then
    ResetPassword {
        /// Who
        login: String,
        #[command(flatten)]
        server: Server,
    },
    /// Give a program a key, and print it; it is shown this once
    ///
    /// Example: anhu users add gateway --name "Gateway" --grant integrator=orgUnits/341181
    ///          anhu users add-key gateway --label "SOS gateway, town hall"
    #[command(verbatim_doc_comment)]
    AddKey {
        /// Whose
        login: String,
        /// What it is for
        #[arg(long)]
        label: String,
        #[command(flatten)]
        server: Server,
    },
    /// Take a key back at once
    RevokeKey {
        /// Which, as `anhu users list` has it: users/3/apiKeys/0
        key: String,
        #[command(flatten)]
        server: Server,
    },
}

#[derive(Debug, clap::Args)]
pub(crate) struct Grants {
    /// A role for everything, or for some records: administrator, supervisor, operator, integrator or auditor of
    /// orgUnits/CODE; provider_manager of providers/N; responder of responders/N. Can be given several times
    #[arg(long = "grant", value_name = "ROLE[=SCOPE]", value_parser = grant, required = true)]
    grants: Vec<v1::Grant>,
}

impl Command {
    fn server(&self) -> &Server {
        match self {
            Self::List { server }
            | Self::Add { server, .. }
            | Self::Grant { server, .. }
            | Self::Disable { server, .. }
            | Self::Enable { server, .. }
            | Self::ResetPassword { server, .. }
            | Self::AddKey { server, .. }
            | Self::RevokeKey { server, .. } => server,
        }
    }
}

pub(crate) fn run(command: &Command) -> anyhow::Result<()> {
    super::serve::runtime()?.block_on(async {
        let server = command.server();
        let users = Users { client: AccessServiceClient::new(server.connect().await?), server };
        users.run(command).await
    })
}

struct Users<'a> {
    client: AccessServiceClient<Channel>,
    server: &'a Server,
}

impl Users<'_> {
    async fn run(mut self, command: &Command) -> anyhow::Result<()> {
        match command {
            Command::List { .. } => {
                for user in self.all().await? {
                    print(&user);
                }
            }
            Command::Add { login, name, grants, .. } => {
                let user = v1::User {
                    login: login.clone(),
                    display_name: name.clone(),
                    grants: grants.grants.clone(),
                    ..Default::default()
                };
                let request = v1::CreateUserRequest { user: Some(user) };
                let made =
                    self.client.create_user(request).await.map_err(|status| self.server.explain(&status))?;
                println!("{}", made.into_inner().one_time_password);
            }
            Command::Grant { login, grants, .. } => {
                let grants = grants.grants.clone();
                self.change(login, "grants", |user| user.grants = grants).await?;
            }
            Command::Disable { login, .. } => {
                self.change(login, "disabled", |user| user.disabled = true).await?;
            }
            Command::Enable { login, .. } => {
                self.change(login, "disabled", |user| user.disabled = false).await?;
            }
            Command::ResetPassword { login, .. } => {
                let name = self.named(login).await?.name;
                let reset = self.client.reset_password(v1::ResetPasswordRequest { name }).await;
                let reset = reset.map_err(|status| self.server.explain(&status))?.into_inner();
                println!("{}", reset.one_time_password);
            }
            Command::AddKey { login, label, .. } => {
                let parent = self.named(login).await?.name;
                let key = v1::ApiKey { label: label.clone(), ..Default::default() };
                let request = v1::CreateApiKeyRequest { parent, api_key: Some(key) };
                let made = self.client.create_api_key(request).await;
                println!("{}", made.map_err(|status| self.server.explain(&status))?.into_inner().secret);
            }
            Command::RevokeKey { key, .. } => {
                let request = v1::RevokeApiKeyRequest { name: key.clone() };
                self.client.revoke_api_key(request).await.map_err(|status| self.server.explain(&status))?;
            }
        }
        Ok(())
    }

    async fn change(
        &mut self,
        login: &str,
        field: &str,
        change: impl FnOnce(&mut v1::User),
    ) -> anyhow::Result<()> {
        let mut user = self.named(login).await?;
        change(&mut user);
        let update_mask = Some(prost_types::FieldMask { paths: vec![field.to_owned()] });
        let request = v1::UpdateUserRequest { user: Some(user), update_mask };
        self.client.update_user(request).await.map_err(|status| self.server.explain(&status))?;
        Ok(())
    }

    async fn named(&mut self, login: &str) -> anyhow::Result<v1::User> {
        let found = self.all().await?.into_iter().find(|user| user.login == login);
        found.with_context(|| format!("nobody signs in as {login}: `anhu users list` names all"))
    }

    async fn all(&mut self) -> anyhow::Result<Vec<v1::User>> {
        let (mut all, mut page_token) = (Vec::new(), String::new());
        loop {
            let request = v1::ListUsersRequest { page_size: PAGE, page_token };
            let page =
                self.client.list_users(request).await.map_err(|status| self.server.explain(&status))?;
            let page = page.into_inner();
            all.extend(page.users);
            page_token = page.next_page_token;
            if page_token.is_empty() {
                return Ok(all);
            }
        }
    }
}

/// One line for the user, and one for each key.
fn print(user: &v1::User) {
    let grants: Vec<_> = user.grants.iter().map(word).collect();
    let state = if user.disabled { "  (disabled)" } else { "" };
    println!("{:<10}  {:<16}  {}  {}{state}", user.name, user.login, user.display_name, grants.join(", "));
    for key in &user.api_keys {
        println!("    {}  {}", key.name, key.label);
    }
}

/// As `--grant` takes it.
fn word(grant: &v1::Grant) -> String {
    let role = grant.role().as_str_name().trim_start_matches("ROLE_").to_lowercase();
    if grant.scope.is_empty() { role } else { format!("{role}={}", grant.scope) }
}

/// Reads `operator=orgUnits/341181`.
fn grant(text: &str) -> Result<v1::Grant, String> {
    if text.ends_with('=') {
        return Err(format!(
            "{text} names no records after =: leave out the = to give the role for everything"
        ));
    }
    let (role, scope) = text.split_once('=').unwrap_or((text, ""));
    let known = v1::Role::from_str_name(&format!("ROLE_{}", role.to_uppercase()));
    let role = known.filter(|role| *role != v1::Role::Unspecified).ok_or_else(|| {
        format!(
            "{role} is no role: write administrator, supervisor, operator, provider_manager, responder, integrator or auditor"
        )
    })?;
    Ok(v1::Grant { role: role.into(), scope: scope.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grant_is_written_as_it_is_read() {
        for text in ["administrator", "operator=orgUnits/341181", "provider_manager=providers/3"] {
            assert_eq!(grant(text).map(|grant| word(&grant)).as_deref(), Ok(text));
        }
        assert!(grant("king").is_err());
        assert!(grant("operator=").is_err());
        assert!(grant("unspecified").is_err());
    }
}
