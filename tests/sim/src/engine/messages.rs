//! The messages of the instance: number, severity and text, in English and (the main ones) in Spanish, as `sys.messages` has them.
//! A `{0}` is the first argument. Rules elsewhere name numbers only.

use crate::wire::Message;

/// An error or message before it is put into the session's language.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Its number.
    pub number: u32,
    /// What fills the places of its text.
    pub args: Vec<String>,
    /// State; 1 unless the number has several.
    pub state: u8,
    /// A text (and severity) that is already made: of the parser, RAISERROR, THROW.
    pub ready: Option<(u8, String)>,
}

/// Errors of one statement, in the order in which they are sent. The last one is often only a trailer (3013, 5069).
pub type Chain = Vec<Fault>;

/// A message of the table.
pub fn fault(number: u32, args: &[&str]) -> Fault {
    Fault { number, args: args.iter().map(|arg| (*arg).to_string()).collect(), state: 1, ready: None }
}

/// The same as a chain of one, for `Err(…)`.
pub fn fails<T>(number: u32, args: &[&str]) -> Result<T, Chain> {
    Err(vec![fault(number, args)])
}

/// The end of BACKUP and RESTORE that failed.
pub fn abnormally(mut chain: Chain, what: &str) -> Chain {
    chain.push(fault(3013, &[what]));
    chain
}

/// The end of an ALTER DATABASE that failed.
pub fn alter_failed(mut chain: Chain) -> Chain {
    chain.push(fault(5069, &[]));
    chain
}

impl From<Message> for Fault {
    fn from(message: Message) -> Fault {
        Fault { number: message.number, args: Vec::new(), state: message.state, ready: Some((message.class, message.text)) }
    }
}

impl Fault {
    /// Its severity.
    pub fn class(&self) -> u8 {
        match &self.ready {
            Some((class, _)) => *class,
            None => row(self.number).map_or(16, |row| row.1),
        }
    }

    /// As sent in that language, from that line.
    pub fn message(&self, spanish: bool, line: u32) -> Message {
        let text = match (&self.ready, row(self.number)) {
            (Some((_, text)), _) => text.clone(),
            (None, Some(row)) => {
                let mut text = if spanish && !row.3.is_empty() { row.3 } else { row.2 }.to_string();
                for (at, arg) in self.args.iter().enumerate() {
                    text = text.replace(&format!("{{{at}}}"), arg);
                }
                text
            }
            (None, None) => format!("Error {}, {}.", self.number, self.args.join(", ")),
        };
        Message { number: self.number, state: self.state, class: self.class(), text, line }
    }
}

fn row(number: u32) -> Option<&'static (u32, u8, &'static str, &'static str)> {
    TABLE.binary_search_by_key(&number, |row| row.0).ok().map(|at| &TABLE[at])
}

/// Text of a system error in that language: `5(Access is denied.)`.
pub fn system(code: u32, spanish: bool) -> String {
    let (english, native) = match code {
        2 => ("The system cannot find the file specified.", "El sistema no puede encontrar el archivo especificado."),
        3 => ("The system cannot find the path specified.", "El sistema no puede encontrar la ruta especificada."),
        5 => ("Access is denied.", "Acceso denegado."),
        32 => (
            "The process cannot access the file because it is being used by another process.",
            "El proceso no tiene acceso al archivo porque está siendo utilizado por otro proceso.",
        ),
        38 => ("Reached the end of the file.", "Se ha alcanzado el final del archivo."),
        53 => ("The network path was not found.", "No se ha encontrado la ruta de acceso de la red."),
        59 => ("An unexpected network error occurred.", "Error de red inesperado."),
        64 => ("The specified network name is no longer available.", "El nombre de red especificado ya no está disponible."),
        67 => ("The network name cannot be found.", "No se encuentra el nombre de red."),
        112 => ("There is not enough space on the disk.", "Espacio en disco insuficiente."),
        1326 => ("The user name or password is incorrect.", "El nombre de usuario o la contraseña no son correctos."),
        _ => (
            "failed to retrieve text for this error. Reason: 15105",
            "no se pudo recuperar el texto de este error. Motivo: 15105",
        ),
    };
    format!("{code}({})", if spanish { native } else { english })
}

/// Severity and texts. Sorted by number; the test says so.
#[rustfmt::skip]
static TABLE: &[(u32, u8, &str, &str)] = &[
    (102, 15, "Incorrect syntax near '{0}'.", "Sintaxis incorrecta cerca de '{0}'."),
    (134, 15, "The variable name '{0}' has already been declared. Variable names must be unique within a query batch or stored procedure.", ""),
    (137, 15, "Must declare the scalar variable \"{0}\".", "Debe declarar la variable escalar \"{0}\"."),
    (148, 15, "Incorrect time syntax in time string '{0}' used with WAITFOR.", ""),
    (201, 16, "Procedure or function '{0}' expects parameter '{1}', which was not supplied.", ""),
    (207, 16, "Invalid column name '{0}'.", "El nombre de columna '{0}' no es válido."),
    (208, 16, "Invalid object name '{0}'.", "El nombre de objeto '{0}' no es válido."),
    (217, 16, "Maximum stored procedure, function, trigger, or view nesting level exceeded (limit 32).", ""),
    (226, 16, "{0} statement not allowed within multi-statement transaction.", "No se permite la instrucción {0} en transacciones de múltiples instrucciones."),
    (229, 14, "The {0} permission was denied on the object '{1}', database '{2}', schema 'dbo'.", ""),
    (241, 16, "Conversion failed when converting date and/or time from character string.", "Error al convertir una cadena de caracteres en fecha y/u hora."),
    (245, 16, "Conversion failed when converting the {0} value '{1}' to data type {2}.", ""),
    (262, 14, "{0} permission denied in database '{1}'.", "Permiso {0} denegado en la base de datos '{1}'."),
    (297, 16, "The user does not have permission to perform this action.", "El usuario no tiene permiso para realizar esta acción."),
    (300, 14, "{0} permission was denied on object 'server', database 'master'.", "Se denegó el permiso {0} en el objeto 'server', base de datos 'master'."),
    (319, 15, "Incorrect syntax near the keyword 'with'. If this statement is a common table expression, an xmlnamespaces clause or a change tracking context clause, the previous statement must be terminated with a semicolon.", ""),
    (515, 16, "Cannot insert the value NULL into column '{0}', table '{1}'; column does not allow nulls. {2} fails.", ""),
    (596, 21, "Cannot continue the execution because the session is in the kill state.", "No se puede continuar la ejecución porque la sesión está en estado de eliminación."),
    (701, 19, "There is insufficient system memory in resource pool 'default' to run this query.", ""),
    (824, 24, "SQL Server detected a logical consistency-based I/O error: incorrect checksum (expected: 0x7532c420; actual: 0x320e4240). It occurred during a read of page (1:{1}) in database ID {0} at offset 0x{2} in file '{3}'. Additional messages in the SQL Server error log or operating system error log may provide more detail. This is a severe error condition that threatens database integrity and must be corrected immediately. Complete a full database consistency check (DBCC CHECKDB). This error can be caused by many factors; for more information, see SQL Server Books Online.", ""),
    (905, 21, "Database '{0}' cannot be started in this edition of SQL Server because it contains a partition function '{1}'. Only Enterprise edition of SQL Server supports partitioning.", ""),
    (909, 21, "Database '{0}' cannot be started in this edition of SQL Server because part or all of object '{1}' is enabled with data compression or vardecimal storage format. Data compression and vardecimal storage format are only supported on SQL Server Enterprise Edition.", ""),
    (911, 16, "Database '{0}' does not exist. Make sure that the name is entered correctly.", "La base de datos '{0}' no existe. Asegúrese de que ha escrito el nombre correctamente."),
    (913, 16, "Could not find database ID {0}. Database may not be activated yet or may be in transition. Reissue the query once the database is available. If you do not think this error is due to a database that is transitioning its state and this error continues to occur, contact your primary support provider.", ""),
    (916, 14, "The server principal \"{0}\" is not able to access the database \"{1}\" under the current security context.", "La entidad de seguridad de servidor \"{0}\" no puede tener acceso a la base de datos \"{1}\" en el contexto de seguridad actual."),
    (922, 14, "Database '{0}' is being recovered. Waiting until recovery is finished.", "La base de datos '{0}' se está recuperando. Espere hasta que termine la recuperación."),
    (923, 14, "Database '{0}' is in restricted mode. Only the database owner and members of the dbcreator and sysadmin roles can access it.", "La base de datos '{0}' está en modo restringido. Solo pueden tener acceso el propietario de la base de datos y los miembros de los roles dbcreator y sysadmin."),
    (924, 14, "Database '{0}' is already open and can only have one user at a time.", "La base de datos '{0}' ya está abierta y sólo puede tener un usuario a la vez."),
    (926, 14, "Database '{0}' cannot be opened. It has been marked SUSPECT by recovery. See the SQL Server errorlog for more information.", "No se puede abrir la base de datos '{0}'. La recuperación la marcó como SOSPECHOSA."),
    (927, 14, "Database '{0}' cannot be opened. It is in the middle of a restore.", "No se puede abrir la base de datos '{0}'. Está en medio de una restauración."),
    (942, 14, "Database '{0}' cannot be opened because it is offline.", "No se puede abrir la base de datos '{0}' porque está sin conexión."),
    (944, 10, "Converting database '{0}' from version {1} to the current version {2}.", "Convirtiendo la base de datos '{0}' de la versión {1} a la versión actual {2}."),
    (945, 14, "Database '{0}' cannot be opened due to inaccessible files or insufficient memory or disk space.  See the SQL Server errorlog for details.", "No se puede abrir la base de datos '{0}' porque hay archivos inaccesibles o falta memoria o espacio en disco."),
    (948, 20, "The database '{0}' cannot be opened because it is version {1}. This server supports version {2} and earlier. A downgrade path is not supported.", "No se puede abrir la base de datos '{0}' porque es de la versión {1}. Este servidor admite la versión {2} y anteriores. No se admite la ruta de acceso a una versión anterior."),
    (951, 10, "Database '{0}' running the upgrade step from version {1} to version {2}.", "La base de datos '{0}' está ejecutando el paso de actualización de la versión {1} a la versión {2}."),
    (952, 16, "Database '{0}' is in transition. Try the statement later.", "La base de datos '{0}' está en transición. Intente ejecutar la instrucción más tarde."),
    (1088, 16, "Cannot find the object \"{0}\" because it does not exist or you do not have permissions.", ""),
    (1105, 17, "Could not allocate space for object '{1}' in database '{0}' because the 'PRIMARY' filegroup is full. Create disk space by deleting unneeded files, dropping objects in the filegroup, adding additional files to the filegroup, or setting autogrowth on for existing files in the filegroup.", ""),
    (1205, 13, "Transaction (Process ID {0}) was deadlocked on lock resources with another process and has been chosen as the deadlock victim. Rerun the transaction.", "La transacción (id. de proceso {0}) quedó en interbloqueo en recursos de bloqueo con otro proceso y fue elegida como víctima del interbloqueo. Ejecute de nuevo la transacción."),
    (1222, 16, "Lock request time out period exceeded.", "Se superó el tiempo de espera de solicitud de bloqueo."),
    (1223, 16, "Cannot release the application lock (Database Principal: 'public', Resource: '{0}') because it is not currently held.", ""),
    (1801, 16, "Database '{0}' already exists. Choose a different database name.", "La base de datos '{0}' ya existe. Elija otro nombre para la base de datos."),
    (1802, 16, "CREATE DATABASE failed. Some file names listed could not be created. Check related errors.", "CREATE DATABASE falló. No se pueden crear algunos nombres de archivo de la lista. Compruebe los errores relacionados."),
    (1813, 16, "Could not open new database '{0}'. CREATE DATABASE is aborted.", "No se pudo abrir la nueva base de datos '{0}'. CREATE DATABASE se anula."),
    (1818, 16, "Primary log file '{0}' is missing and the database was not cleanly shut down so it cannot be rebuilt.", ""),
    (1824, 16, "Cannot attach a database that was being restored.", "No se puede adjuntar una base de datos que se estaba restaurando."),
    (1827, 16, "CREATE DATABASE or ALTER DATABASE failed because the resulting cumulative database size would exceed your licensed limit of {0} MB per database.", "CREATE DATABASE o ALTER DATABASE no se pudo ejecutar porque el tamaño de la base de datos acumulada superaría el límite con licencia de {0} MB por base de datos."),
    (1828, 16, "The logical file name \"{0}\" is already in use. Choose a different name.", ""),
    (1829, 16, "The FOR ATTACH option requires that at least the primary file be specified.", ""),
    (1834, 16, "The file '{0}' cannot be overwritten.  It is being used by database '{1}'.", "No se puede sobrescribir el archivo '{0}'. Lo está usando la base de datos '{1}'."),
    (1844, 16, "{0} is not supported on {1}.", "{0} no se admite en {1}."),
    (2528, 10, "DBCC execution completed. If DBCC printed error messages, contact your system administrator.", "Ejecución de DBCC completada. Si hay mensajes de error, consulte al administrador del sistema."),
    (2571, 14, "User does not have permission to run DBCC CHECKDB.", ""),
    (2601, 14, "Cannot insert duplicate key row in object '{0}' with unique index '{1}'. The duplicate key value is ({2}).", ""),
    (2627, 14, "Violation of PRIMARY KEY constraint '{0}'. Cannot insert duplicate key in object '{1}'. The duplicate key value is ({2}).", ""),
    (2714, 16, "There is already an object named '{0}' in the database.", "Ya hay un objeto con el nombre '{0}' en la base de datos."),
    (2740, 16, "SET LANGUAGE failed because '{0}' is not an official language name or a language alias on this SQL Server.", ""),
    (2754, 16, "Error severity levels greater than 18 can only be specified by members of the sysadmin role, using the WITH LOG option.", ""),
    (2760, 16, "The specified schema name \"{0}\" either does not exist or you do not have permission to use it.", ""),
    (2812, 16, "Could not find stored procedure '{0}'.", "No se encontró el procedimiento almacenado '{0}'."),
    (3009, 16, "Could not insert a backup or restore history/detail record in the msdb database. This may indicate a problem with the msdb database. The backup/restore operation was still successful.", ""),
    (3013, 16, "{0} is terminating abnormally.", "Fin anómalo de {0}."),
    (3014, 10, "{0} successfully processed {1} pages in {2} seconds ({3} MB/sec).", "{0} procesó correctamente {1} páginas en {2} segundos ({3} MB/s)."),
    (3021, 16, "Cannot perform a backup or restore operation within a transaction.", "No se puede realizar una operación de copia de seguridad o restauración dentro de una transacción."),
    (3023, 16, "Backup, file manipulation operations (such as ALTER DATABASE ADD FILE) and encryption changes on a database must be serialized. Reissue the statement after the current backup or file manipulation operation is completed.", "Las operaciones de copia de seguridad, de manipulación de archivos (como ALTER DATABASE ADD FILE) y los cambios de cifrado de una base de datos se deben serializar. Vuelva a ejecutar la instrucción cuando finalice la operación actual."),
    (3033, 16, "BACKUP DATABASE cannot be used on a database opened in emergency mode.", ""),
    (3035, 16, "Cannot perform a differential backup for database \"{0}\", because a current database backup does not exist. Perform a full database backup by reissuing BACKUP DATABASE, omitting the WITH DIFFERENTIAL option.", "No se puede realizar una copia de seguridad diferencial de la base de datos \"{0}\" porque no existe una copia de seguridad actual de la base de datos."),
    (3036, 16, "The database \"{0}\" is in warm-standby state (set by executing RESTORE WITH STANDBY) and cannot be backed up until the entire restore sequence is completed.", ""),
    (3043, 16, "BACKUP '{0}' detected an error on page (1:{1}) in file '{2}'.", "BACKUP '{0}' detectó un error en la página (1:{1}) del archivo '{2}'."),
    (3044, 16, "Invalid zero-length device name. Reissue the BACKUP statement with a valid device name.", ""),
    (3049, 16, "BACKUP detected corruption in the database log. Check the errorlog for more information.", ""),
    (3101, 16, "Exclusive access could not be obtained because the database is in use.", "No se pudo obtener acceso exclusivo porque la base de datos está en uso."),
    (3102, 16, "{0} cannot process database '{1}' because it is in use by this session. It is recommended that the master database be used when performing this operation.", "{0} no puede procesar la base de datos '{1}' porque la está utilizando esta sesión. Se recomienda usar la base de datos maestra cuando se realiza esta operación."),
    (3108, 16, "To restore the master database, the server must be running in single-user mode. For information on starting in single-user mode, see \"How to: Start an Instance of SQL Server (sqlservr.exe)\" in Books Online.", ""),
    (3110, 14, "User does not have permission to RESTORE database '{0}'.", "El usuario no tiene permiso para restaurar la base de datos '{0}'."),
    (3115, 16, "The database is using the simple recovery model. It is not possible to restore a subset of the read-write data.", ""),
    (3117, 16, "The log or differential backup cannot be restored because no files are ready to rollforward.", "No se puede restaurar la copia de seguridad diferencial o de registros porque no hay archivos preparados para la puesta al día."),
    (3118, 16, "The database \"{0}\" does not exist. RESTORE can only create a database when restoring either a full backup or a file backup of the primary file.", "La base de datos \"{0}\" no existe. RESTORE solo puede crear una base de datos al restaurar una copia de seguridad completa o de archivos del archivo principal."),
    (3119, 16, "Problems were identified while planning for the RESTORE statement. Previous messages provide details.", "Se identificaron problemas al planear la instrucción RESTORE. Los mensajes anteriores proporcionan detalles."),
    (3120, 16, "This backup set will not be restored because all data has already been restored to a point beyond the time covered by this backup set.", "Este conjunto de copia de seguridad no se restaurará porque todos los datos ya se restauraron a un punto posterior al que cubre este conjunto."),
    (3132, 16, "The media set has {0} media families but only {1} are provided. All members must be provided.", "El conjunto de medios tiene {0} familias de medios, pero solo se proporcionaron {1}. Se deben proporcionar todos los miembros."),
    (3135, 16, "The backup set in file '{0}' was created by {1} and cannot be used for this restore operation.", "El conjunto de copia de seguridad del archivo '{0}' se creó con {1} y no se puede usar en esta operación de restauración."),
    (3136, 16, "This differential backup cannot be restored because the database has not been restored to the correct earlier state.", "No se puede restaurar esta copia de seguridad diferencial porque la base de datos no se ha restaurado al estado anterior correcto."),
    (3141, 16, "The database to be restored was named '{0}'. Reissue the statement using the WITH REPLACE option to overwrite the '{1}' database.", ""),
    (3142, 16, "File \"{0}\" cannot be restored over the existing \"{1}\". Reissue the RESTORE statement using WITH REPLACE to overwrite pre-existing files, or WITH MOVE to identify an alternate location.", "El archivo \"{0}\" no se puede restaurar sobre el \"{1}\" existente. Use WITH REPLACE o WITH MOVE."),
    (3147, 16, "Backup and restore operations are not allowed on database {0}.", ""),
    (3153, 16, "The database is already fully recovered.", "La base de datos ya está completamente recuperada."),
    (3154, 16, "The backup set holds a backup of a database other than the existing '{0}' database.", "El conjunto de copia de seguridad contiene una copia de seguridad de una base de datos distinta de la base de datos '{0}' existente."),
    (3156, 16, "File '{0}' cannot be restored to '{1}'. Use WITH MOVE to identify a valid location for the file.", "El archivo '{0}' no se puede restaurar en '{1}'. Utilice WITH MOVE para identificar una ubicación válida para el archivo."),
    (3159, 16, "The tail of the log for the database \"{0}\" has not been backed up. Use BACKUP LOG WITH NORECOVERY to backup the log if it contains work you do not want to lose. Use the WITH REPLACE or WITH STOPAT clause of the RESTORE statement to just overwrite the contents of the log.", "No se ha realizado copia de seguridad del final del registro de la base de datos \"{0}\". Use BACKUP LOG WITH NORECOVERY si contiene trabajo que no desea perder. Use la cláusula WITH REPLACE o WITH STOPAT de la instrucción RESTORE para sobrescribir el contenido del registro."),
    (3169, 16, "The database was backed up on a server running version {0}. That version is incompatible with this server, which is running version {1}. Either restore the database on a server that supports the backup, or use a backup that is compatible with this server.", "Se hizo una copia de seguridad de la base de datos en un servidor que ejecuta la versión {0}. Esa versión no es compatible con este servidor, que ejecuta la versión {1}."),
    (3170, 16, "The STANDBY filename is invalid.", ""),
    (3176, 16, "File '{0}' is claimed by '{1}'({2}) and '{3}'({4}). The WITH MOVE clause can be used to relocate one or more files.", ""),
    (3180, 16, "This backup cannot be restored using WITH STANDBY because a database upgrade is needed. Reissue the RESTORE without WITH STANDBY.", "Esta copia de seguridad no se puede restaurar con WITH STANDBY porque se necesita una actualización de la base de datos."),
    (3183, 16, "RESTORE detected an error on page ({0}:{1}) in database \"{2}\" as read from the backup set.", "RESTORE detectó un error en la página ({0}:{1}) de la base de datos \"{2}\" al leer del conjunto de copia de seguridad."),
    (3187, 16, "RESTORE WITH CHECKSUM cannot be specified because the backup set does not contain checksum information.", "No se puede especificar RESTORE WITH CHECKSUM porque el conjunto de copia de seguridad no contiene información de suma de comprobación."),
    (3189, 16, "Damage to the backup set was detected.", "Se detectaron daños en el conjunto de copia de seguridad."),
    (3201, 16, "Cannot open backup device '{0}'. Operating system error {1}.", "No se puede abrir el dispositivo de copia de seguridad '{0}'. Error del sistema operativo {1}."),
    (3202, 16, "Write on \"{0}\" failed: {1}", "Error de escritura en \"{0}\": {1}"),
    (3203, 16, "Read on \"{0}\" failed: {1}", "Error de lectura en \"{0}\": {1}"),
    (3204, 16, "The backup or restore was aborted.", "Se anuló la copia de seguridad o la restauración."),
    (3206, 16, "Backup device '{0}' does not exist. To view existing backup devices, use the sys.backup_devices catalog view. To create a new backup device use either sp_addumpdevice or SQL Server Management Studio.", ""),
    (3211, 10, "{0} percent processed.", "{0} por ciento procesado."),
    (3231, 16, "The media loaded on \"{0}\" is formatted to support {1} media families, but {2} media families are expected according to the backup device specification.", ""),
    (3234, 16, "Logical file '{0}' is not part of database '{1}'. Use RESTORE FILELISTONLY to list the logical file names.", "El archivo lógico '{0}' no forma parte de la base de datos '{1}'. Use RESTORE FILELISTONLY para obtener una lista de los nombres de archivo lógicos."),
    (3241, 16, "The media family on device '{0}' is incorrectly formed. SQL Server cannot process this media family.", "La familia de medios del dispositivo '{0}' no está formada correctamente. SQL Server no puede procesar esta familia de medios."),
    (3242, 16, "The file on device '{0}' is not a valid Microsoft Tape Format backup set.", "El archivo del dispositivo '{0}' no es un conjunto de copia de seguridad válido en Formato de cinta de Microsoft."),
    (3254, 16, "The volume on device '{0}' is empty.", "El volumen del dispositivo '{0}' está vacío."),
    (3256, 16, "The backup set on device '{0}' was terminated while it was being created and is incomplete. RESTORE sequence is terminated abnormally.", ""),
    (3257, 16, "There is insufficient free space on disk volume '{0}' to create the database. The database requires {1} additional free bytes, while only {2} bytes are available.", "No hay suficiente espacio libre en el volumen de disco '{0}' para crear la base de datos. La base de datos requiere {1} bytes libres adicionales, pero solo hay {2} disponibles."),
    (3258, 16, "The volume on the device \"{0}\" is not part of the media set that is currently being processed. Ensure that the backup devices are loaded with the correct media.", ""),
    (3262, 10, "The backup set on file {0} is valid.", "El conjunto de copia de seguridad del archivo {0} es válido."),
    (3270, 16, "An internal consistency error has occurred. This error is similar to an assert. Contact technical support for assistance.", ""),
    (3271, 16, "A nonrecoverable I/O error occurred on file \"{0}\" {1}.", ""),
    (3287, 16, "The file ID {0} on device '{1}' is incorrectly formed and can not be read.", ""),
    (3414, 10, "An error occurred during recovery, preventing the database '{0}' (database ID {1}) from restarting.", ""),
    (3415, 16, "Database '{0}' cannot be upgraded because it is read-only, has read-only files or the user does not have permissions to modify some of the files. Make the database or files writeable, and rerun recovery.", ""),
    (3441, 21, "During startup of warm standby database '{0}' (database ID {1}), its standby file ('{2}') was inaccessible to the RESTORE statement. The operating system error was '{3}'. Diagnose the operating system error, correct the problem, and retry startup.", ""),
    (3456, 21, "Could not redo log record {0}, for transaction ID (0:0), on page (1:1), allocation unit 0, database '{1}' (database ID {2}). Page: LSN = {0}, allocation unit = 0, type = 1. Log: OpCode = 1, context 1, PrevPageLSN: {0}. Restore from a backup of the database, or repair the database.", ""),
    (3634, 16, "The operating system returned the error '{0}' while attempting '{1}' on '{2}'.", "El sistema operativo devolvió el error '{0}' al intentar '{1}' en '{2}'."),
    (3701, 11, "Cannot {0} the {1} '{2}', because it does not exist or you do not have permission.", "No se puede {0} {1} '{2}' porque no existe o el usuario no tiene permiso."),
    (3702, 16, "Cannot drop database \"{0}\" because it is currently in use.", "No se puede quitar la base de datos \"{0}\" porque está en uso."),
    (3703, 16, "Cannot detach the database '{0}' because it is currently in use.", "No se puede separar la base de datos '{0}' porque está en uso."),
    (3707, 16, "Cannot detach a suspect or recovery pending database. It must be repaired or dropped.", ""),
    (3708, 16, "Cannot drop the database '{0}' because it is a system database.", ""),
    (3902, 16, "The COMMIT TRANSACTION request has no corresponding BEGIN TRANSACTION.", "La solicitud COMMIT TRANSACTION no tiene la correspondiente BEGIN TRANSACTION."),
    (3903, 16, "The ROLLBACK TRANSACTION request has no corresponding BEGIN TRANSACTION.", "La solicitud ROLLBACK TRANSACTION no tiene la correspondiente BEGIN TRANSACTION."),
    (3906, 16, "Failed to update database \"{0}\" because the database is read-only.", "No se pudo actualizar la base de datos \"{0}\" porque es de solo lectura."),
    (3930, 16, "The current transaction cannot be committed and cannot support operations that write to the log file. Roll back the transaction.", ""),
    (4035, 10, "Processed {0} pages for database '{1}', file '{2}' on file {3}.", "Procesadas {0} páginas para la base de datos '{1}', archivo '{2}' en el archivo {3}."),
    (4060, 11, "Cannot open database \"{0}\" requested by the login. The login failed.", "No se puede abrir la base de datos \"{0}\" solicitada por el inicio de sesión. Error de inicio de sesión."),
    (4064, 11, "Cannot open user default database. Login failed.", "No se puede abrir la base de datos predeterminada del usuario. Error de inicio de sesión."),
    (4202, 16, "BACKUP LOG is not possible because bulk logged changes exist in the database and one or more filegroups are unavailable.", ""),
    (4208, 16, "The statement {0} is not allowed while the recovery model is SIMPLE. Use BACKUP DATABASE or change the recovery model using ALTER DATABASE.", "No se permite la instrucción {0} mientras el modelo de recuperación es SIMPLE. Use BACKUP DATABASE o cambie el modelo de recuperación con ALTER DATABASE."),
    (4214, 16, "BACKUP LOG cannot be performed because there is no current database backup.", "No se puede realizar BACKUP LOG porque no existe ninguna copia de seguridad actual de la base de datos."),
    (4303, 16, "The roll forward start point is now at log sequence number (LSN) {0}. Additional roll forward past LSN {1} is required to complete the restore sequence.", ""),
    (4305, 16, "The log in this backup set begins at LSN {0}, which is too recent to apply to the database. An earlier log backup that includes LSN {1} can be restored.", "El registro de este conjunto de copia de seguridad comienza en el LSN {0}, que es demasiado reciente para aplicarlo a la base de datos. Se puede restaurar una copia de seguridad del registro anterior que incluya el LSN {1}."),
    (4319, 16, "A previous restore operation was interrupted and did not complete processing on file '{0}'. Either restore the backup set that was interrupted or restart the restore sequence.", "Se interrumpió una operación de restauración anterior y no completó el procesamiento del archivo '{0}'. Restaure el conjunto de copia de seguridad que se interrumpió o reinicie la secuencia de restauración."),
    (4323, 16, "A previous RESTORE WITH CONTINUE_AFTER_ERROR operation left the database in a potentially damaged state. To continue this RESTORE sequence, all further steps must include the CONTINUE_AFTER_ERROR option.", ""),
    (4326, 16, "The log in this backup set terminates at LSN {0}, which is too early to apply to the database. A more recent log backup that includes LSN {1} can be restored.", "El registro de este conjunto de copia de seguridad termina en el LSN {0}, que es demasiado antiguo para aplicarlo a la base de datos. Se puede restaurar una copia de seguridad del registro más reciente que incluya el LSN {1}."),
    (4330, 16, "This backup set cannot be applied because it is on a recovery path that is inconsistent with the database. The recovery path is the sequence of data and log backups that have brought the database to a particular recovery point. Find a compatible backup to restore, or restore the rest of the database to match a recovery point within this backup set, which will restore the database to a different point in time.  For more information about recovery paths, see SQL Server Books Online.", "Este conjunto de copia de seguridad no se puede aplicar porque está en una ruta de recuperación incoherente con la base de datos."),
    (4333, 16, "The database cannot be recovered because the log was not restored.", ""),
    (4335, 16, "The specified STOPAT time is too early. All or part of the database is already rolled forward beyond that point.", ""),
    (4613, 16, "Grantor does not have GRANT permission.", ""),
    (4834, 16, "You do not have permission to use the bulk load statement.", "No tiene permiso para usar la instrucción de carga masiva."),
    (4860, 16, "Cannot bulk load. The file \"{0}\" does not exist or you don't have file access rights.", "No se puede realizar la carga masiva. El archivo \"{0}\" no existe o no tiene derechos de acceso al archivo."),
    (4861, 16, "Cannot bulk load because the file \"{0}\" could not be opened. Operating system error code {1}.", "No se puede realizar la carga masiva porque no se pudo abrir el archivo \"{0}\". Código de error del sistema operativo {1}."),
    (5011, 14, "User does not have permission to alter database '{0}', the database does not exist, or the database is not in a state that allows access checks.", "El usuario no tiene permiso para modificar la base de datos '{0}', la base de datos no existe o no se encuentra en un estado que permita comprobaciones de acceso."),
    (5021, 10, "The database name '{0}' has been set.", "Se ha establecido el nombre de la base de datos '{0}'."),
    (5030, 16, "The database could not be exclusively locked to perform the operation.", "No se pudo bloquear la base de datos de forma exclusiva para realizar la operación."),
    (5041, 16, "MODIFY FILE failed. File '{0}' does not exist.", ""),
    (5052, 16, "{0} is not permitted while a database is in the {1} state.", "No se permite {0} mientras la base de datos está en el estado {1}."),
    (5058, 16, "Option '{0}' cannot be set in database '{1}'.", ""),
    (5060, 10, "Nonqualified transactions are being rolled back. Estimated rollback completion: {0}%.", "Se están revirtiendo las transacciones no calificadas. Finalización estimada de la reversión: {0}%."),
    (5061, 16, "ALTER DATABASE failed because a lock could not be placed on database '{0}'. Try again later.", "ALTER DATABASE no se pudo ejecutar porque no se pudo bloquear la base de datos '{0}'. Inténtelo de nuevo más tarde."),
    (5064, 16, "Changes to the state or options of database '{0}' cannot be made at this time. The database is in single-user mode, and a user is currently connected to it.", "No se pueden realizar cambios en el estado o las opciones de la base de datos '{0}' en este momento. La base de datos está en modo de usuario único y hay un usuario conectado."),
    (5069, 16, "ALTER DATABASE statement failed.", "Error en la instrucción ALTER DATABASE."),
    (5070, 16, "Database state cannot be changed while other users are using the database '{0}'", "No se puede cambiar el estado de la base de datos mientras otros usuarios la están usando '{0}'"),
    (5105, 16, "A file activation error occurred. The physical file name '{0}' may be incorrect. Diagnose and correct additional errors, and retry the operation.", "Error al activar el archivo. El nombre de archivo físico '{0}' puede ser incorrecto. Diagnostique y corrija los errores adicionales y vuelva a intentar la operación."),
    (5108, 10, "Log file '{0}' does not match the primary file.  It may be from a different database or the log may have been rebuilt previously.", "El archivo de registro '{0}' no coincide con el archivo principal. Puede ser de otra base de datos o es posible que el registro se haya vuelto a generar anteriormente."),
    (5113, 10, "The log cannot be rebuilt because there were open transactions/users when the database was shutdown, no checkpoint occurred to the database, or the database was read-only. This error could occur if the transaction log file was manually deleted or lost due to a hardware or environment failure.", "No se puede volver a generar el registro porque había transacciones o usuarios abiertos cuando se cerró la base de datos, no se produjo ningún punto de comprobación o la base de datos era de solo lectura."),
    (5120, 16, "Unable to open the physical file \"{0}\". Operating system error {1}: \"{2}\".", "No se puede abrir el archivo físico \"{0}\". Error del sistema operativo {1}: \"{2}\"."),
    (5123, 16, "CREATE FILE encountered operating system error {0} while attempting to open or create the physical file '{1}'.", "CREATE FILE encontró el error {0} del sistema operativo al intentar abrir o crear el archivo físico '{1}'."),
    (5133, 16, "Directory lookup for the file \"{0}\" failed with the operating system error {1}.", "Error en la búsqueda de directorio para el archivo \"{0}\" con el error del sistema operativo {1}."),
    (5170, 16, "Cannot create file '{0}' because it already exists. Change the file path or the file name, and retry the operation.", "No se puede crear el archivo '{0}' porque ya existe. Cambie la ruta de acceso o el nombre del archivo y vuelva a intentar la operación."),
    (5171, 16, "{0} is not a primary database file.", "{0} no es un archivo principal de base de datos."),
    (5172, 16, "The header for file '{0}' is not a valid database file header. The {1} property is incorrect.", "El encabezado del archivo '{0}' no es válido como encabezado de archivo de base de datos. La propiedad {1} es incorrecta."),
    (5173, 16, "One or more files do not match the primary file of the database. If you are attempting to attach a database, retry the operation with the correct files.  If this is an existing database, the file may be corrupted and should be restored from a backup.", "Uno o varios archivos no coinciden con el archivo principal de la base de datos."),
    (5701, 10, "Changed database context to '{0}'.", "Se cambió el contexto de la base de datos a '{0}'."),
    (5703, 10, "Changed language setting to {0}.", "Se cambió la configuración de idioma a {0}."),
    (6101, 16, "Session ID {0} is not valid.", ""),
    (6102, 14, "User does not have permission to use the KILL statement.", "El usuario no tiene permiso para usar la instrucción KILL."),
    (6104, 16, "Cannot use KILL to kill your own process.", "No se puede usar KILL para eliminar el propio proceso."),
    (6106, 16, "Process ID {0} is not an active process ID.", "El id. de proceso {0} no es un id. de proceso activo."),
    (6107, 14, "Only user processes can be killed.", "Solo se pueden eliminar procesos de usuario."),
    (6115, 16, "KILL command cannot be used inside user transactions.", "No se puede usar el comando KILL en transacciones de usuario."),
    (6117, 10, "SPID {0}: transaction rollback in progress. Estimated rollback completion: {1}%. Estimated time remaining: 1 seconds.", ""),
    (6120, 16, "Status report cannot be obtained. Rollback operation for Process ID {0} is not in progress.", "No se puede obtener el informe de estado. La operación de reversión del id. de proceso {0} no está en curso."),
    (6401, 16, "Cannot roll back {0}. No transaction or savepoint of that name was found.", ""),
    (7202, 11, "Could not find server '{0}' in sys.servers. Verify that the correct server name was specified. If necessary, execute the stored procedure sp_addlinkedserver to add the server to sys.servers.", ""),
    (7940, 16, "System databases master, model, msdb, and tempdb cannot be detached.", ""),
    (8114, 16, "Error converting data type {0} to {1}.", ""),
    (8115, 16, "Arithmetic overflow error converting {0} to data type {1}.", ""),
    (8134, 16, "Divide by zero error encountered.", "Error de división entre cero."),
    (8144, 16, "Procedure or function {0} has too many arguments specified.", ""),
    (8145, 16, "{1} is not a parameter for procedure {0}.", ""),
    (8178, 16, "The parameterized query '{0}' expects the parameter '{1}', which was not supplied.", ""),
    (8921, 16, "Check terminated. A failure was detected while collecting facts. Possibly tempdb out of space or a system table is inconsistent. Check previous errors.", ""),
    (8928, 16, "Object ID {0}, index ID 1, partition ID 72057594038779904, alloc unit ID 72057594043367424 (type In-row data): Page (1:{1}) could not be processed.  See other errors for details.", ""),
    (8989, 10, "CHECKDB found {0} allocation errors and {1} consistency errors in database '{2}'.", "CHECKDB detectó {0} errores de asignación y {1} errores de coherencia en la base de datos '{2}'."),
    (9002, 17, "The transaction log for database '{0}' is full due to '{1}'.", "El registro de transacciones de la base de datos '{0}' está lleno debido a '{1}'."),
    (9003, 20, "The log scan number {0} passed to log scan in database '{1}' is not valid. This error may indicate data corruption or that the log file (.ldf) does not match the data file (.mdf). If this error occurred during replication, re-create the publication. Otherwise, restore from backup if the problem results in a failure during startup.", ""),
    (10704, 15, "To rethrow an error, a THROW statement must be used inside a CATCH block. Insert the THROW statement inside a CATCH block, or add error parameters to the THROW statement.", ""),
    (15001, 16, "Object '{0}' does not exist or is not a valid object for this operation.", ""),
    (15002, 16, "The procedure '{0}' cannot be executed within a transaction.", ""),
    (15007, 16, "'{0}' is not a valid login or you do not have permission.", "'{0}' no es un inicio de sesión válido o no tiene permiso."),
    (15010, 16, "The database '{0}' does not exist. Supply a valid database name. To see available databases, use sys.databases.", "La base de datos '{0}' no existe. Proporcione un nombre de base de datos válido."),
    (15021, 16, "Invalid value given for parameter {0}. Specify a valid parameter value.", "Valor no válido para el parámetro {0}. Especifique un valor válido."),
    (15023, 16, "User, group, or role '{0}' already exists in the current database.", "El usuario, grupo o rol '{0}' ya existe en la base de datos actual."),
    (15025, 16, "The server principal '{0}' already exists.", "La entidad de seguridad de servidor '{0}' ya existe."),
    (15048, 16, "Valid values of the database compatibility level are 100, 110, 120, 130, 140, 150, 160, or 170.", ""),
    (15063, 16, "The login already has an account under a different user name.", ""),
    (15097, 16, "The size associated with an extended property cannot be more than 7,500 bytes.", ""),
    (15110, 16, "The proposed new database owner is already a user or aliased in the database.", "El nuevo propietario propuesto ya es un usuario o un alias de la base de datos."),
    (15123, 16, "The configuration option '{0}' does not exist, or it may be an advanced option.", ""),
    (15135, 16, "Object is invalid. Extended properties are not permitted on '{0}', or the object does not exist.", ""),
    (15151, 16, "Cannot {0} the {1} '{2}', because it does not exist or you do not have permission.", "No se puede {0} {1} '{2}' porque no existe o no tiene permiso."),
    (15174, 16, "Login '{0}' owns one or more database(s). Change the owner of the database(s) before dropping the login.", ""),
    (15217, 16, "Property cannot be updated or deleted. Property '{1}' does not exist for '{0}'.", "No se puede actualizar ni eliminar la propiedad. La propiedad '{1}' no existe para '{0}'."),
    (15233, 16, "Property cannot be added. Property '{1}' already exists for '{0}'.", "No se puede agregar la propiedad. La propiedad '{1}' ya existe para '{0}'."),
    (15247, 16, "User does not have permission to perform this action.", "El usuario no tiene permiso para realizar esta acción."),
    (15419, 16, "Supplied parameter sid should be binary(16).", ""),
    (15433, 16, "Supplied parameter sid is in use.", "El parámetro sid proporcionado está en uso."),
    (15434, 16, "Could not drop login '{0}' as the user is currently logged in.", "No se pudo quitar el inicio de sesión '{0}' porque el usuario tiene una sesión iniciada."),
    (18451, 14, "Login failed for user '{0}'. Only administrators may connect at this time.", ""),
    (18456, 14, "Login failed for user '{0}'.", "Error de inicio de sesión del usuario '{0}'."),
    (18470, 14, "Login failed for user '{0}'. Reason: The account is disabled.", "Error de inicio de sesión del usuario '{0}'. Motivo: la cuenta está deshabilitada."),
    (22001, 16, "{0}", ""),
    (50000, 16, "{0}", ""),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_every_place_is_filled_in_both_languages() {
        for pair in TABLE.windows(2) {
            assert!(pair[0].0 < pair[1].0, "{} before {}", pair[0].0, pair[1].0);
        }
        for (number, class, english, spanish) in TABLE {
            assert!(*class >= 10 && *class <= 24, "{number}");
            for at in 0..6 {
                let place = format!("{{{at}}}");
                if spanish.contains(&place) {
                    assert!(english.contains(&place), "{number}");
                }
            }
        }
    }

    #[test]
    fn a_message_speaks_the_language_of_the_session() {
        let said = fault(3013, &["BACKUP LOG"]);
        assert_eq!(said.message(false, 1).text, "BACKUP LOG is terminating abnormally.");
        assert_eq!(said.message(true, 1).text, "Fin anómalo de BACKUP LOG.");
        assert_eq!(system(112, true), "112(Espacio en disco insuficiente.)");
    }
}
