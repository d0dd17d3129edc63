//! The server's errors that matter here: number to class, kind and words in both languages. Numbers decide, never texts: those follow the
//! login's language. Source: Microsoft's lists of database engine events and errors.

use super::{Class, Entry};

macro_rules! catalogue {
    ($($class:ident $kind:ident [$($number:literal)+] $es:literal | $en:literal, $hes:literal | $hen:literal;)+) => {
        /// One row for all numbers that mean the same to us.
        pub(super) const CATALOGUE: &[Entry] = &[$(
            Entry {
                numbers: &[$($number),+], class: Class::$class, kind: stringify!($kind),
                message: ($es, $en), remedy: ($hes, $hen),
            }
        ),+];
    };
}

catalogue! {
    // Connecting and logging in.
    Permission sql_login_refused [18456]
        "el servidor no acepta el usuario o la contraseña" | "the server does not accept the user or password",
        "revise el usuario y el secreto en relevo.toml; la causa exacta está en el registro de errores de SQL Server" | "check the user and the secret in relevo.toml; the exact cause is in SQL Server's error log";
    Permission sql_login_untrusted [18452]
        "el servidor no confía en el dominio de la cuenta de Windows" | "the server does not trust the domain of the Windows account",
        "use un inicio de sesión de SQL Server" | "use a login of SQL Server";
    Permission sql_login_disabled [18470]
        "el inicio de sesión está deshabilitado" | "the login is disabled",
        "habilítelo: ALTER LOGIN … ENABLE" | "enable it: ALTER LOGIN … ENABLE";
    Permission sql_login_locked [18486 18487 18488]
        "el inicio de sesión está bloqueado o su contraseña venció" | "the login is locked or its password expired",
        "desbloquéelo o cambie su contraseña, y quítele el vencimiento" | "unlock it or change its password, and switch its expiration off";
    Wait sql_starting [18401]
        "el servidor está actualizando sus bases" | "the server is upgrading its databases",
        "espere unos minutos" | "wait some minutes";
    Wait sql_admins_only [18451 18461]
        "el servidor solo admite administradores en este momento" | "the server admits administrators only at the moment",
        "arránquelo en modo normal" | "start it in normal mode";
    Permission sql_database_closed_to_login [4060 4064]
        "no se puede abrir la base con la que se inicia sesión" | "the database of the login cannot be opened",
        "la base predeterminada del inicio de sesión debe ser master" | "the default database of the login should be master";
    Transient sql_connection_lost [233 10053 10054]
        "se cortó la conexión con el servidor" | "the connection to the server was cut",
        "revise la red y que el servicio de SQL Server esté en marcha" | "check the network and that the service of SQL Server runs";
    Transient sql_connection_refused [10061]
        "el servidor no acepta conexiones" | "the server accepts no connections",
        "arranque el servicio de SQL Server; habilite TCP con un puerto fijo y ábralo en el cortafuegos" | "start the service of SQL Server; enable TCP with a fixed port and open it in the firewall";
    Transient sql_browser [26]
        "SQL Server Browser no conoce la instancia" | "SQL Server Browser does not know the instance",
        "arranque el servicio SQL Server Browser, o dé el puerto en relevo.toml" | "start the service SQL Server Browser, or give the port in relevo.toml";
    Permission sql_sspi [17806]
        "falló el inicio de sesión de Windows (SSPI)" | "the Windows login failed (SSPI)",
        "use un inicio de sesión de SQL Server" | "use a login of SQL Server";
    Transient sql_connections_full [17809 17810]
        "el servidor no admite más conexiones" | "the server admits no more connections",
        "intente más tarde" | "try later";
    Transient sql_login_timeout [17830]
        "el inicio de sesión tardó demasiado" | "the login took too long",
        "revise la red y la carga del servidor" | "check the network and the load of the server";

    // The database cannot be used.
    Permission sql_no_database [911]
        "la base no existe en el servidor" | "the database does not exist on the server",
        "revise el nombre de la base en relevo.toml" | "check the name of the database in relevo.toml";
    Permission sql_database_forbidden [916]
        "el inicio de sesión no puede usar la base" | "the login may not use the database",
        "dele acceso a la base" | "give it access to the database";
    Wait sql_recovering [921 922]
        "la base todavía se está recuperando" | "the database is still being recovered",
        "espere; puede tardar según lo que haya en el registro" | "wait; it takes as long as there is log to go through";
    Permission sql_permission [229 230 262 297 300 15247]
        "al inicio de sesión le falta un permiso" | "the login lacks a permission",
        "relevo doctor dice cuáles necesita" | "relevo doctor says which it needs";
    Permission sql_statement [102 105 156 207 208 2812]
        "el servidor no entiende la instrucción, o falta la tabla, columna o procedimiento que nombra" | "the server does not understand the statement, or the table, column or procedure that it names is missing",
        "revise la instrucción y los nombres en relevo.toml" | "check the statement and the names in relevo.toml";
    Transient sql_killed [596]
        "alguien cerró nuestra sesión en el servidor" | "somebody ended our session on the server",
        "intente de nuevo" | "try again";
    Exclusive sql_slot_taken [923 924]
        "la base admite un solo usuario o solo administradores, y otro ya está dentro" | "the database admits one user or administrators only, and somebody is in",
        "cierre esa conexión" | "close that connection";
    Fatal sql_suspect [926]
        "la base está marcada como sospechosa (SUSPECT)" | "the database is marked as suspect",
        "revise los discos; promueva el respaldo si hace falta" | "check the disks; promote the backup if need be";
    Info sql_restoring [927]
        "la base está en espera de respaldos (RESTORING)" | "the database waits for backups (RESTORING)",
        "es su estado normal en el respaldo; en el principal quiere decir que está separado" | "on the backup that is its normal state; on main it means that it is fenced";
    Wait sql_offline [941 942 952]
        "la base está fuera de línea o cambiando de estado" | "the database is offline or changing its state",
        "espere, o póngala en línea" | "wait, or set it online";
    Disk sql_files_unavailable [945]
        "la base no abre: faltan archivos, memoria o disco" | "the database does not open: files, memory or disk are missing",
        "vea en el registro de errores de SQL Server cuál archivo falta" | "see in SQL Server's error log which file is missing";
    Version sql_newer_database [943 946 948 950]
        "la base es de una versión de SQL Server más nueva que el servidor" | "the database is of a newer version of SQL Server than the server",
        "actualice el servidor; una base nunca vuelve a una versión anterior" | "upgrade the server; a database never goes back to an older version";
    Version sql_edition_features [905 909 932 933 934 937 980]
        "la base usa funciones que la edición de este servidor no tiene" | "the database uses features that the edition of this server lacks",
        "quite esas funciones en el principal, o use allí y aquí la misma edición" | "remove those features on main, or use the same edition on both";
    Disk sql_database_full [1105]
        "no hay espacio en los archivos de la base (Express admite 10 GB; 50 GB desde 2025)" | "there is no space in the files of the database (Express takes 10 GB; 50 GB from 2025 on)",
        "libere espacio o cambie de edición" | "free space or change the edition";
    Disk sql_log_full [9002]
        "el registro de transacciones está lleno" | "the transaction log is full",
        "haga una copia (relevo mirror): en modelo FULL solo ella vacía el registro; libere disco" | "take a copy (relevo mirror): in the FULL model only that empties the log; free disk space";
    Transient sql_deadlock [1205]
        "el servidor eligió esta operación para deshacer un interbloqueo" | "the server chose this operation to resolve a deadlock",
        "intente de nuevo" | "try again";
    Transient sql_lock_timeout [1222]
        "otro tiene bloqueado lo que se necesita" | "somebody else has what is needed locked",
        "intente de nuevo" | "try again";
    Transient sql_memory [701 802]
        "el servidor no tiene memoria" | "the server has no memory",
        "intente de nuevo; cierre otros programas del servidor" | "try again; close other programs of the server";
    Fatal sql_corrupt [823 824 825 832]
        "el disco devolvió datos dañados: la base está dañada" | "the disk returned damaged data: the database is damaged",
        "no confíe en ese disco; haga revisar la base (DBCC CHECKDB) y considere promover" | "do not trust that disk; have the database checked (DBCC CHECKDB) and consider a promote";
    Fatal sql_log_damaged [9001 9003 9004]
        "el registro de transacciones no está disponible o está dañado" | "the transaction log is unavailable or damaged",
        "revise los discos; considere promover" | "check the disks; consider a promote";
    Info sql_read_only [3906]
        "la base es de solo lectura" | "the database is read-only",
        "es lo normal mientras recibe copias" | "that is normal while it receives copies";

    // Creating and attaching.
    Permission sql_database_exists [1801]
        "ya existe una base con ese nombre" | "there already is a database of that name",
        "cámbiele el nombre o elija otro" | "rename it or choose another name";
    Previous sql_create_failed [1802 1813]
        "no se pudo crear o adjuntar la base" | "the database could not be created or attached",
        "la causa está en los otros mensajes y en el registro de errores de SQL Server" | "the cause is in the other messages and in SQL Server's error log";
    Transient sql_model_busy [1807]
        "otro está usando la base model" | "somebody uses the database model",
        "intente de nuevo" | "try again";
    Fatal sql_attach_refused [1818 1824 1829 1832 5113]
        "los archivos no se pueden adjuntar: falta el registro, no se cerraron bien o se estaban restaurando" | "the files cannot be attached: the log is missing, they were not closed well or were being restored",
        "use los archivos cerrados completos, o restaure un respaldo" | "use the complete closed files, or restore a backup";
    Version sql_size_cap [1827]
        "la base pasa del tamaño que admite la edición" | "the database exceeds the size that the edition admits",
        "use una edición que lo admita (Express: 10 GB; 50 GB desde 2025)" | "use an edition that admits it (Express: 10 GB; 50 GB from 2025 on)";
    Permission sql_file_in_use [1834]
        "otra base usa ese archivo" | "another database uses that file",
        "elija otra ruta" | "choose another path";
    Permission sql_no_compression [1844]
        "la edición no admite esa opción (compresión)" | "the edition does not admit that option (compression)",
        "se repite sin ella" | "it is repeated without it";

    // BACKUP.
    Info sql_history_failed [3009]
        "no se pudo anotar en el historial de msdb; la operación sí se hizo" | "the history in msdb could not be written; the operation itself was done",
        "revise el espacio de msdb" | "check the space of msdb";
    Previous sql_ended_abnormally [3013]
        "el servidor terminó la operación antes de tiempo" | "the server ended the operation early",
        "la causa está en los otros mensajes y en el registro de errores de SQL Server" | "the cause is in the other messages and in SQL Server's error log";
    Info sql_done [3014]
        "la operación terminó bien" | "the operation ended well",
        "nada" | "nothing";
    Fatal sql_in_transaction [3021]
        "no se puede dentro de una transacción" | "not possible inside a transaction",
        "es un error de relevo: avise" | "it is an error of relevo: report it";
    Transient sql_backup_running [3023]
        "otro respaldo u operación de archivos está en marcha" | "another backup or file operation is running",
        "espere a que termine" | "wait until it ends";
    Permission sql_cannot_back_up [3033 3036]
        "una base en emergencia o en espera no se puede respaldar" | "a database in emergency or standby cannot be backed up",
        "póngala en línea primero" | "set it online first";
    Full sql_no_base [3035]
        "no hay un respaldo completo del cual partir" | "there is no full backup to start from",
        "se hace uno completo" | "a full one is taken";
    Info sql_backup_failed_echo [3041]
        "un respaldo falló" | "a backup failed",
        "vea los otros mensajes" | "see the other messages";
    Fatal sql_damaged_pages [3043 3053]
        "hay páginas dañadas en la base: no se puede respaldar entera" | "there are damaged pages in the database: it cannot be backed up whole",
        "la base está dañada; haga revisar el disco y considere promover" | "the database is damaged; have the disk checked and consider a promote";
    Fatal sql_log_corrupt [3049]
        "el registro de transacciones está dañado" | "the transaction log is damaged",
        "haga una copia completa (relevo mirror --full) y revise el disco" | "take a full copy (relevo mirror --full) and check the disk";
    Permission sql_is_simple [4208]
        "en modelo SIMPLE no hay respaldos del registro" | "in the SIMPLE model there are no log backups",
        "se usan diferenciales; para no perder ventas use el modelo FULL" | "differentials are used; to lose no sales use the FULL model";
    Full sql_no_full [4214]
        "no hay un respaldo completo que inicie la cadena" | "there is no full backup that begins the chain",
        "se hace uno completo" | "a full one is taken";
    Full sql_chain_cut [4219]
        "se cortó la cadena del registro" | "the log chain was cut",
        "se hace una copia completa" | "a full copy is taken";
    Fatal sql_no_tail [4202]
        "no se puede salvar la cola del registro: faltan archivos con cambios masivos" | "the tail of the log cannot be saved: files with bulk changes are missing",
        "lo vendido desde la última copia no se puede recuperar de aquí" | "what was sold since the last copy cannot be recovered from here";
    Permission sql_mirrored [3104]
        "la base está en espejo o en un grupo de disponibilidad" | "the database is mirrored or in an availability group",
        "relevo no trabaja junto con ellos" | "relevo does not work beside them";

    // RESTORE.
    Exclusive sql_in_use [3101]
        "alguien tiene abierta la base" | "somebody has the database open",
        "cierre los programas que la usan" | "close the programs that use it";
    Fatal sql_used_by_us [3102]
        "la propia conexión tiene abierta la base" | "our own connection has the database open",
        "es un error de relevo: avise" | "it is an error of relevo: report it";
    Permission sql_no_restore_right [3110]
        "el inicio de sesión no puede restaurar la base" | "the login may not restore the database",
        "dele el papel sysadmin o dbcreator" | "give it the role sysadmin or dbcreator";
    Reseed sql_not_following [3117 3118]
        "la base no está en espera de respaldos" | "the database does not wait for backups",
        "se siembra de nuevo con una copia completa" | "it is seeded again with a full copy";
    Previous sql_planning [3119]
        "el servidor no pudo preparar la restauración" | "the server could not prepare the restore",
        "la causa está en los otros mensajes" | "the cause is in the other messages";
    Skip sql_already_past [3120 4326]
        "ese respaldo ya está aplicado" | "that backup is already applied",
        "se sigue con el siguiente" | "the next one follows";
    Reseed sql_inconsistent_path [3121 4330 4331 4333]
        "el respaldo es de otra línea de recuperación" | "the backup is of another recovery path",
        "se siembra de nuevo con una copia completa" | "it is seeded again with a full copy";
    Media sql_stripe_missing [3132 3133 3231 3258]
        "falta una parte del respaldo, o es de otro" | "a part of the backup is missing, or of another one",
        "copie de nuevo todas sus partes" | "copy all its parts again";
    Reseed sql_other_base [3136]
        "el diferencial parte de otro respaldo completo" | "the differential starts from another full backup",
        "se siembra de nuevo con una copia completa" | "it is seeded again with a full copy";
    Permission sql_other_database [3141 3154]
        "el respaldo es de otra base" | "the backup is of another database",
        "revise de dónde viene; relevo no escribe encima" | "check where it comes from; relevo does not write over it";
    Permission sql_file_place [3142 3156 3176]
        "un archivo de la base no puede ir en esa ruta" | "a file of the database cannot go to that path",
        "revise las carpetas de datos y de registro de la instancia" | "check the data and log folders of the instance";
    Info sql_already_open [3153]
        "la base ya está recuperada" | "the database is recovered already",
        "nada" | "nothing";
    Permission sql_tail_not_saved [3159]
        "la base tiene registro sin respaldar que se perdería" | "the database has log that is not backed up and would be lost",
        "guarde primero la cola" | "save the tail first";
    Fatal sql_file_damaged [3161 3163]
        "el archivo principal falta o el registro está dañado" | "the primary file is missing or the log is damaged",
        "restaure una copia completa" | "restore a full copy";
    Fatal sql_could_not_open [3166 3167]
        "la base no arranca, o no se pudo quitar" | "the database does not start, or could not be removed",
        "vea el registro de errores de SQL Server" | "see SQL Server's error log";
    Version sql_newer_backup [3168 3169 3255]
        "el respaldo es de una versión de SQL Server que este servidor no admite" | "the backup is of a version of SQL Server that this server does not take",
        "use la misma versión en ambos servidores" | "use the same version on both servers";
    Permission sql_no_standby [3170 3180]
        "la base no puede quedar legible entre copias" | "the database cannot stay readable between copies",
        "se deja en espera (NORECOVERY)" | "it is left waiting (NORECOVERY)";
    Media sql_damaged_backup [3182 3183 3184 3185 3186 3189]
        "el respaldo está dañado" | "the backup is damaged",
        "se copia de nuevo; si sigue, se hace otro" | "it is copied again; if that does not help another one is taken";
    Permission sql_no_checksum [3187]
        "el respaldo no trae suma de verificación" | "the backup has no checksum",
        "relevo siempre la pone: revise de dónde viene" | "relevo always writes one: check where it comes from";
    Reseed sql_standby_file [3441 3443 3445]
        "el archivo de deshacer de la base en espera falta o no sirve" | "the undo file of the standby database is missing or of no use",
        "se siembra de nuevo con una copia completa" | "it is seeded again with a full copy";
    Permission sql_more_to_apply [4303 4318]
        "faltan respaldos por aplicar antes de recuperar" | "backups are still to be applied before it can be recovered",
        "aplique los que siguen" | "apply those that follow";
    Gap sql_gap [4305 4312]
        "falta un respaldo del registro entre lo aplicado y este" | "a log backup between what is applied and this one is missing",
        "se busca el que falta; si no aparece, un diferencial o una copia completa" | "the missing one is looked for; failing that a differential or a full copy";
    Transient sql_interrupted [4319]
        "la restauración anterior quedó a medias" | "the restore before was interrupted",
        "se sigue donde quedó" | "it goes on where it stopped";
    Reseed sql_not_whole [4320 4323]
        "un archivo no está restaurado por completo" | "a file is not restored completely",
        "se siembra de nuevo con una copia completa" | "it is seeded again with a full copy";
    Transient sql_recovery_interrupted [4347]
        "la recuperación quedó a medias" | "the recovery was interrupted",
        "se repite" | "it is repeated";
    Fatal sql_redo_failed [3313 3314 3456]
        "el servidor no pudo rehacer o deshacer el registro" | "the server could not redo or undo the log",
        "restaure una copia completa" | "restore a full copy";
    Permission sql_upgrade_read_only [3415]
        "la base no se puede actualizar: sus archivos son de solo lectura" | "the database cannot be upgraded: its files are read-only",
        "quite el atributo de solo lectura y revise los permisos" | "take the read-only attribute away and check the permissions";
    Fatal sql_wrong_move [3234]
        "el respaldo no tiene ese archivo lógico" | "the backup has no such logical file",
        "es un error de relevo: avise" | "it is an error of relevo: report it";

    // Backup devices, files, disks.
    Disk sql_device [3201]
        "el servidor no puede abrir el archivo del respaldo" | "the server cannot open the file of the backup",
        "revise la ruta y los permisos de la cuenta de servicio de SQL Server" | "check the path and the rights of SQL Server's service account";
    Disk sql_device_io [3202 3203]
        "el servidor no pudo escribir o leer el archivo del respaldo" | "the server could not write or read the file of the backup",
        "revise el disco y la red" | "check the disk and the network";
    Transient sql_aborted [3204]
        "la operación fue cancelada" | "the operation was cancelled",
        "intente de nuevo" | "try again";
    Fatal sql_device_name [3038 3044 3057 3078 3206 3207]
        "el nombre del archivo del respaldo no sirve" | "the name of the backup's file cannot be used",
        "es un error de relevo: avise" | "it is an error of relevo: report it";
    Media sql_truncated_backup [3208 3241 3242 3243 3254 3256 3266]
        "el archivo no es un respaldo, o está incompleto" | "the file is no backup, or incomplete",
        "se copia de nuevo; si sigue, se hace otro" | "it is copied again; if that does not help another one is taken";
    Info sql_percent [3211]
        "la operación avanza" | "the operation goes on",
        "nada" | "nothing";
    Disk sql_no_room [3257]
        "no hay espacio en el disco para los archivos de la base" | "there is no room on the disk for the files of the database",
        "libere espacio" | "free space";
    Info sql_verified [3262]
        "el respaldo se leyó entero y está bien" | "the backup was read whole and is sound",
        "nada" | "nothing";
    Disk sql_sector_size [3268 3269 3272]
        "el respaldo es de un disco con otro tamaño de sector" | "the backup is of a disk with another sector size",
        "use un disco con el mismo tamaño de sector" | "use a disk with the same sector size";
    Media sql_backup_inconsistent [3270]
        "el servidor encontró una inconsistencia al restaurar" | "the server found an inconsistency while restoring",
        "se copia de nuevo; si sigue, se hace otro" | "it is copied again; if that does not help another one is taken";
    Disk sql_io [3271]
        "falló la lectura o escritura de un archivo" | "reading or writing a file failed",
        "revise el espacio, el disco y la red" | "check the space, the disk and the network";
    Disk sql_system [3634]
        "el sistema operativo del servidor lo impidió" | "the operating system of the server prevented it",
        "revise la ruta y los permisos de la cuenta de servicio de SQL Server" | "check the path and the rights of SQL Server's service account";
    Disk sql_file_open [5105 5120 5123 5133]
        "el servidor no pudo abrir o crear un archivo de la base" | "the server could not open or create a file of the database",
        "revise la ruta y los permisos de la cuenta de servicio de SQL Server" | "check the path and the rights of SQL Server's service account";
    Permission sql_compressed_file [5118]
        "el archivo está comprimido por Windows" | "the file is compressed by Windows",
        "quite la compresión NTFS de la carpeta" | "take the NTFS compression off the folder";
    Permission sql_file_exists [5170]
        "el archivo ya existe" | "the file already exists",
        "elija otra ruta o retire el archivo" | "choose another path or move the file away";
    Media sql_wrong_file [5108 5171 5172 5173 5178]
        "los archivos no son de una misma base, o están dañados" | "the files are not of one database, or damaged",
        "copie de nuevo todos los archivos de la base cerrada" | "copy all files of the closed database again";
    Disk sql_growth [5144 5145 5149]
        "un archivo de la base no pudo crecer, o tarda demasiado" | "a file of the database could not grow, or takes too long",
        "libere espacio en el disco" | "free disk space";

    // Changing a database, ending sessions, logins and users.
    Exclusive sql_cannot_drop [3701 3702 3703]
        "la base no existe o alguien la usa" | "the database does not exist or somebody uses it",
        "cierre los programas que la usan" | "close the programs that use it";
    Exclusive sql_cannot_lock [5011 5030 5061 5064 5070]
        "no se pudo tener la base a solas: alguien la usa, o falta permiso" | "the database could not be had alone: somebody uses it, or a permission is missing",
        "cierre los programas que la usan; el inicio de sesión necesita ALTER sobre la base" | "close the programs that use it; the login needs ALTER on the database";
    Previous sql_alter_failed [5069]
        "no se pudo cambiar la base" | "the database could not be changed",
        "la causa está en los otros mensajes" | "the cause is in the other messages";
    Permission sql_wrong_state [5052]
        "en el estado en que está la base no se puede" | "not possible in the state in which the database is",
        "relevo status dice en qué estado está" | "relevo status says in which state it is";
    Permission sql_kill_forbidden [6102]
        "el inicio de sesión no puede cerrar sesiones" | "the login may not end sessions",
        "dele el permiso ALTER ANY CONNECTION" | "give it the permission ALTER ANY CONNECTION";
    Fatal sql_kill_refused [6101 6103 6104 6105 6107 6115]
        "esa sesión no se puede cerrar así" | "that session cannot be ended like this",
        "es un error de relevo: avise" | "it is an error of relevo: report it";
    Skip sql_session_gone [6106]
        "esa sesión ya terminó" | "that session has ended already",
        "nada" | "nothing";
    Info sql_not_rolling_back [6120]
        "esa sesión no está deshaciendo nada" | "that session is not rolling back",
        "nada" | "nothing";
    Permission sql_principal [15007 15023 15151 15433]
        "un usuario o inicio de sesión falta, ya existe, o su SID es de otro" | "a user or login is missing, exists already, or its SID is somebody else's",
        "compare los inicios de sesión de los dos servidores" | "compare the logins of the two servers";
}
