//! What the types of relevo.toml cannot say: names, both engines alike, known targets, secrets by reference. Then paths are made absolute.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::load::meant;
use super::{Authorisation, Config, Encryption, Engine, ServerSection, TargetSection};
use crate::error::{Failure, Result};
use crate::model::{Role, Side};
use crate::text;
use crate::text::Text;

/// Above this level a copy takes minutes and more memory than a main server can spare.
const MAX_COMPRESSION: u8 = 9;

/// What an instance of SQL Server needs beside its name.
fn check_sqlserver(side: Side, server: &ServerSection) -> Result<()> {
    if server.exchange.as_ref().is_none_or(|folder| folder.trim().is_empty()) {
        return Err(invalid(text!(
            "falta servers.{side}.exchange: la carpeta de paso donde ese SQL Server escribe y lee respaldos",
            "servers.{side}.exchange is missing: the folder where that SQL Server writes and reads backups"
        )));
    }
    let address = server.address.as_ref().unwrap_or(&server.instance);
    let host = address.split(['\\', ',']).next().unwrap_or_default().trim();
    if server.encryption == Encryption::None && !["127.0.0.1", "localhost", "::1"].contains(&host) {
        return Err(invalid(text!(
            "servers.{side}.encryption = \"none\" mandaría la contraseña sin cifrar por la red; use \"required\" o \"login\"",
            "servers.{side}.encryption = \"none\" would send the password in clear over the network; use \"required\" or \"login\""
        )));
    }
    Ok(())
}

impl Config {
    /// Refuses what can never work. All failures end with exit 3.
    pub(super) fn check(&self) -> Result<()> {
        name("store.id", &self.store.id)?;
        name("machine.name", &self.machine.name)?;
        self.check_servers()?;
        self.check_targets()?;
        let mirror = &self.mirror;
        if mirror.keep_chains == 0 {
            return Err(invalid(text!("mirror.keep_chains debe ser al menos 1", "mirror.keep_chains must be at least 1")));
        }
        if mirror.interval == Duration::ZERO {
            return Err(invalid(text!("mirror.interval debe ser mayor que cero", "mirror.interval must be longer than zero")));
        }
        if mirror.compression > MAX_COMPRESSION {
            return Err(invalid(text!(
                "mirror.compression va de 0 (sin comprimir) a {MAX_COMPRESSION}",
                "mirror.compression goes from 0 (not packed) to {MAX_COMPRESSION}"
            )));
        }
        if let Some(identity) = &mirror.identity {
            secret("mirror.identity", identity)?;
        }
        let programs = [("svrpdv", &self.programs.svrpdv), ("pospdv", &self.programs.pospdv)];
        for (program, section) in programs {
            if section.as_ref().is_some_and(|s| s.command.first().is_none_or(|c| c.trim().is_empty())) {
                return Err(invalid(text!("programs.{program}.command está vacío", "programs.{program}.command is empty")));
            }
        }
        if self.machine.role != Role::Main && self.paths.main_pdv.is_none() {
            let role = self.machine.role;
            return Err(invalid(text!(
                "falta paths.main_pdv, que una máquina con papel {role} necesita",
                "paths.main_pdv is missing, which a machine with role {role} needs"
            )));
        }
        Ok(())
    }

    fn check_servers(&self) -> Result<()> {
        // First of all: two kinds of server can never be a pair, whatever each of them needs.
        if self.servers.main.engine != self.servers.backup.engine {
            return Err(Failure::invalid(
                "mixed_engines",
                text!(
                    "servers.main.engine y servers.backup.engine son distintos",
                    "servers.main.engine and servers.backup.engine differ"
                ),
            )
            .hint(text!("ponga el mismo engine en los dos servidores", "give both servers the same engine")));
        }
        for side in [Side::Main, Side::Backup] {
            let server = self.server(side);
            for (key, value) in [("instance", &server.instance), ("database", &server.database)] {
                if value.trim().is_empty() {
                    return Err(invalid(text!("servers.{side}.{key} está vacío", "servers.{side}.{key} is empty")));
                }
            }
            if let Some(login) = &server.login {
                secret(&format!("servers.{side}.login.password"), &login.password)?;
            }
            if let Some(login) = &server.script_login {
                secret(&format!("servers.{side}.script_login.password"), &login.password)?;
            }
            if server.engine == Engine::Sqlserver {
                check_sqlserver(side, server)?;
            }
        }
        Ok(())
    }

    fn check_targets(&self) -> Result<()> {
        if let Some((name, target)) = self.targets.iter().find(|(_, t)| matches!(t, TargetSection::Plugin { .. })) {
            let kind = target.kind();
            return Err(Failure::invalid(
                "target_kind_not_available",
                text!(
                    "targets.{name}: kind = \"{kind}\" llega en una versión posterior",
                    "targets.{name}: kind = \"{kind}\" comes in a later version"
                ),
            )
            .hint(text!("use kind = \"dir\"", "use kind = \"dir\"")));
        }
        let known: Vec<&str> = self.targets.keys().map(String::as_str).collect();
        for (index, target) in self.mirror.targets.iter().enumerate() {
            if !self.targets.contains_key(target) {
                let failure = Failure::invalid(
                    "unknown_target",
                    text!(
                        "mirror.targets nombra un destino que no existe: {target}",
                        "mirror.targets names a target that does not exist: {target}"
                    ),
                );
                return Err(failure.hint(meant(target, &known)));
            }
            if self.mirror.targets[..index].contains(target) {
                return Err(invalid(text!("mirror.targets repite {target}", "mirror.targets repeats {target}")));
            }
        }
        if self.mirror.targets.is_empty() && self.machine.role != Role::Till {
            return Err(invalid(text!(
                "mirror.targets está vacío: no habría copias",
                "mirror.targets is empty: there would be no copies"
            )));
        }
        Ok(())
    }

    /// Makes every path absolute that is relative to the store's directory.
    pub(super) fn anchor(&mut self, dir: &Path) -> Result<()> {
        let anchor = |path: &mut PathBuf| *path = dir.join(&path);
        anchor(&mut self.paths.pdv);
        self.paths.main_pdv.iter_mut().for_each(anchor);
        for target in self.targets.values_mut() {
            if let TargetSection::Dir { path } = target {
                anchor(path);
            }
        }
        self.files.values_mut().for_each(anchor);
        self.setup.shortcut.iter_mut().for_each(anchor);
        self.promote.acknowledged.iter_mut().for_each(anchor);
        if let Authorisation::File(path) = &mut self.licence.authorisation {
            anchor(path);
        }
        for server in [&mut self.servers.main, &mut self.servers.backup] {
            if server.engine == Engine::Embedded {
                let joined = dir.join(&server.instance).into_os_string().into_string();
                server.instance = joined.map_err(|path| {
                    let shown = path.display();
                    invalid(text!("la ruta {shown} no es Unicode válido", "the path {shown} is not valid Unicode"))
                })?;
            }
        }
        Ok(())
    }
}

fn invalid(message: Text) -> Failure {
    let Text { es, en } = message;
    Failure::invalid("config_invalid", text!("relevo.toml: {es}", "relevo.toml: {en}"))
        .hint(text!("corrija relevo.toml", "correct relevo.toml"))
}

/// These become parts of file names on every target.
fn name(key: &str, value: &str) -> Result<()> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if !value.is_empty() && value.chars().all(allowed) {
        return Ok(());
    }
    Err(invalid(text!(
        "{key} = \"{value}\" debe tener solo letras sin acento, cifras, _ y -, al menos una",
        "{key} = \"{value}\" must hold only plain letters, digits, _ and -, at least one"
    )))
}

/// The value is not shown: it may be the secret itself.
fn secret(key: &str, value: &str) -> Result<()> {
    if value.strip_prefix("secret:").is_some_and(|name| !name.is_empty()) {
        return Ok(());
    }
    Err(invalid(text!(
        "{key} debe ser secret:NOMBRE, no la contraseña misma",
        "{key} must be secret:NAME, not the password itself"
    ))
    .hint(text!(
        "guárdela con relevo secret set NOMBRE y escriba secret:NOMBRE",
        "store it with relevo secret set NAME and write secret:NAME"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Exit;

    fn load(toml: &str) -> Result<Config> {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("relevo.toml"), toml).unwrap();
        Config::load(dir.path())
    }

    #[test]
    fn every_validation_refuses() {
        let good = Config::template(Role::Backup);
        let login = "database = \"BDPdv\"\nlogin = { user = \"sa\", password = \"hunter2\" }";
        let sqlserver = ("engine = \"embedded\"", "engine = \"sqlserver\"\nexchange = 'C:\\paso'\nencryption = \"none\"");
        type Changes<'a> = &'a [(&'a str, &'a str)];
        let cases: &[(Changes, &str, &str)] = &[
            (&[("id = \"0001\"", "id = \"\"")], "config_invalid", "store.id"),
            (&[("id = \"0001\"", "id = \"a b\"")], "config_invalid", "store.id"),
            (&[("name = \"CAJA1\"", "name = \"CAJÓN\"")], "config_invalid", "machine.name"),
            (&[("engine = \"embedded\"", "engine = \"sqlserver\"")], "mixed_engines", "servers.backup.engine"),
            (&[("engine = \"embedded\"", "engine = \"sqlserver\""); 2], "config_invalid", "servers.main.exchange"),
            (
                &[(sqlserver.0, sqlserver.1), ("engine = \"embedded\"", "engine = \"sqlserver\"")],
                "config_invalid",
                "servers.main.encryption",
            ),
            (&[("targets = [\"espejo\"]", "targets = [\"espjo\"]")], "unknown_target", "espjo"),
            (&[("targets = [\"espejo\"]", "targets = []")], "config_invalid", "mirror.targets"),
            (&[("targets = [\"espejo\"]", "targets = [\"espejo\", \"espejo\"]")], "config_invalid", "mirror.targets"),
            (
                &[("kind = \"dir\"", "kind = \"plugin\"\nplugin = \"s3\""), ("path = \"copias\"", "")],
                "target_kind_not_available",
                "targets.espejo",
            ),
            (&[("compression = 1", "compression = 10")], "config_invalid", "mirror.compression"),
            (&[("keep_chains = 2", "keep_chains = 0")], "config_invalid", "mirror.keep_chains"),
            (&[("interval = \"5m\"", "interval = \"0s\"")], "config_invalid", "mirror.interval"),
            (&[("main_pdv = \"pdv-principal\"", "")], "config_invalid", "paths.main_pdv"),
            (&[("database = \"BDPdv\"", login)], "config_invalid", "servers.main.login.password"),
            (&[("[promote]", "[programs.pospdv]\ncommand = []\n[promote]")], "config_invalid", "programs.pospdv.command"),
        ];
        for (changes, kind, part) in cases {
            let toml = changes.iter().fold(good.clone(), |toml, (from, to)| {
                assert!(toml.contains(from), "{from}");
                toml.replacen(from, to, 1)
            });
            let failure = load(&toml).unwrap_err();
            assert_eq!((failure.exit, failure.kind.as_str()), (Exit::Invalid, *kind), "{changes:?} {failure:?}");
            assert!(failure.message.es.contains(part) && failure.message.en.contains(part), "{changes:?} {failure:?}");
            assert!(!format!("{failure:?}").contains("hunter2"));
        }
        let near = load(&good.replace("targets = [\"espejo\"]", "targets = [\"espjo\"]")).unwrap_err();
        assert!(near.hint.unwrap().es.contains("espejo"));
    }

    #[test]
    fn a_till_needs_no_target() {
        let toml = Config::template(Role::Till).replace("targets = [\"espejo\"]", "targets = []");
        assert!(load(&toml).is_ok());
    }

    #[test]
    fn relative_paths_are_below_the_store() {
        let dir = tempfile::tempdir().unwrap();
        let more = "acknowledged = [\"a.jsonl\"]\n";
        let toml = Config::template(Role::Backup).replace("[promote]\n", &format!("[promote]\n{more}"));
        std::fs::write(dir.path().join("relevo.toml"), toml).unwrap();
        let config = Config::load(dir.path()).unwrap();
        let below = |path: &str| dir.path().join(path);
        assert_eq!(config.paths.pdv, below("pdv"));
        assert_eq!(config.main_pdv(), below("pdv-principal"));
        assert_eq!(Path::new(&config.server(Side::Main).instance), below("instancia-principal"));
        assert_eq!(config.promote.acknowledged, [below("a.jsonl")]);
        assert!(matches!(&config.targets["espejo"], TargetSection::Dir { path } if *path == below("copias")));
        assert_eq!(config.max_age(), Duration::from_secs(600));
    }
}
