//! The commented relevo.toml that `relevo init` writes: it loads as it stands.

use super::Config;
use crate::model::Role;

impl Config {
    /// A commented relevo.toml for a machine with this role: embedded engine, paths below the store's directory.
    pub fn template(role: Role) -> String {
        let machine = match role {
            Role::Main => "SERVIDOR",
            Role::Backup => "CAJA1",
            Role::Till => "CAJA2",
        };
        let main_pdv = match role {
            Role::Main => "# main_pdv = \"pdv-principal\"       # en el servidor principal no hace falta / not needed on main",
            Role::Backup | Role::Till => {
                "main_pdv = \"pdv-principal\"         # de donde se copian SvrBak.txt y VecBak.txt / where SvrBak.txt and VecBak.txt are copied from"
            }
        };
        TEMPLATE.replace("{role}", &role.to_string()).replace("{machine}", machine).replace("{main_pdv}", main_pdv)
    }
}

const TEMPLATE: &str = r##"# relevo.toml: configuración de relevo en esta máquina / settings of relevo on this machine.
# Las rutas relativas parten de esta carpeta / relative paths start at this folder.
# En Windows escriba las rutas entre comillas simples / on Windows write paths in single quotes: 'C:\SierraDocs\Pdv'

[store]                              # la sucursal / the shop
id = "0001"                          # letras, cifras, _ y - / letters, digits, _ and -
name = "Mi tienda"                   # el nombre que leen las personas / the name that people read

[machine]                            # esta máquina / this machine
name = "{machine}"                   # como la conoce SvrBak.txt / as SvrBak.txt knows it
role = "{role}"                      # main (servidor principal), backup (caja/servidor) o till (caja) / main, backup or till

[paths]
pdv = "pdv"                          # los archivos de señal de esta máquina / this machine's signal files
{main_pdv}

[servers.main]                       # el servidor principal / the main server
engine = "embedded"                  # los dos servidores, el mismo / the same on both servers
instance = "instancia-principal"     # la carpeta de la base de datos / the folder of the database
database = "BDPdv"

[servers.backup]                     # el servidor de respaldo, en la caja/servidor / the backup server
engine = "embedded"
instance = "instancia-respaldo"
database = "BDPdv"

# Con SQL Server, cada servidor así / with SQL Server each server so (docs/sqlserver.md):
# engine = "sqlserver"
# instance = 'SERVIDOR\SQLEXPRESS'     # como en SvrBak.txt / as in SvrBak.txt
# address = 'SERVIDOR,1433'            # si el nombre no basta / where the name does not lead there
# login = { user = "relevo", password = "secret:main" }   # relevo secret set main
# script_login = { user = "scripts", password = "secret:scripts" }   # de server::query y server::execute / of both
# trust_certificate = true             # creer el certificado propio de Express / believe Express's own certificate
# exchange = 'D:\relevo\paso'          # carpeta donde ese SQL Server escribe y lee / folder where it writes and reads
# exchange_here = '\\SERVIDOR\paso'    # la misma, vista desde este equipo / the same, as this machine sees it

[licence]
# La cadena de autorización: literal, file (primera línea) o query / the authorisation string: literal, file (first line) or query
authorisation = { file = "autorizacion.txt" }

[mirror]                             # las copias / the copies
interval = "5m"                      # tiempo entre copias / time between copies
targets = ["espejo"]                 # a dónde va cada copia / where every copy goes
keep_chains = 2                      # cadenas que se conservan / chains that are kept
max_increments = 288                 # incrementos por cadena / increments a chain
compression = 1                      # 0 sin comprimir (lo más rápido) a 9 / 0 not packed (fastest) to 9
# recipients = ["age1…"]             # cifrar las copias / seal the copies
# identity = "secret:espejo"         # con qué se abren / what opens them

[targets.espejo]                     # un destino: una carpeta local o compartida / a target: a folder, local or a share
kind = "dir"
path = "copias"

[promote]
probe_for = "10s"                    # cuánto se prueba el principal antes de darlo por caído / how long main is probed
# max_age = "10m"                    # una copia más vieja exige --accept-loss; sin él, 2 × interval / an older copy needs --accept-loss
folio_gap = 10000                    # folios que se saltan si no se sabe el último / folios skipped when the last one is not known
lock_wait = "10s"                    # espera a que termine un espejo / waits for a running mirror
# acknowledged = ["cobrados.jsonl"]  # tickets confirmados por las cajas / tickets acknowledged by the tills

# [programs.svrpdv]                  # el programa servidor / the server program
# command = ['C:\SierraDocs\Pdv\SvrPdv.exe']
# [programs.pospdv]                  # el programa de caja / the till program
# command = ['C:\SierraDocs\Pdv\PosPdv.exe']

[tickets]                            # la tabla de ventas de la sucursal / the store's table of sales
table = "Ventas"
key = "Folio"
till = "Caja"
time = "Fecha"
total = "Total"
epoch = "Epoca"                      # vacío si la tabla no la tiene / empty where the table has none

[seats]                              # licencias ocupadas / licence seats
# release = "DELETE FROM Sesiones WHERE Instancia = 'x' RETURNING *"

[files]                              # carpetas que los scripts pueden tocar / folders that scripts may touch
# reportes = "reportes"

[setup]
# shortcut = 'C:\Users\Public\Desktop\SvrPdv.lnk'  # acceso directo que setup quita / shortcut that setup removes

[settings]                           # libre para sus scripts: store::setting("nombre") / free for your scripts
"##;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_loads_as_it_stands() {
        for role in [Role::Main, Role::Backup, Role::Till] {
            let dir = tempfile::tempdir().unwrap();
            std::fs::write(dir.path().join("relevo.toml"), Config::template(role)).unwrap();
            let config = Config::load(dir.path()).unwrap();
            assert_eq!(config.machine.role, role);
            assert_eq!(config.main_pdv().ends_with("pdv"), role == Role::Main);
        }
    }
}
