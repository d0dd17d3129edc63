//! The catalogue is whole, chains resolve to their cause, and no secret gets into a failure.

use std::collections::HashSet;

use proptest::prelude::*;

use super::*;
use crate::text::Lang;

/// Every number of the fact sheet's catalogue with its class (T W X S G R P D M V F, I info, = previous, L full).
const SHEET: &str = "
P 18456 18452 18470 18486 18487 18488 4060 4064 17806 911 916 1801 1834 1844 3033 3036 3104 3110 3141 3154 3142 3156 3176 3159 3170 3180
P 3187 3415 4208 4303 4318 5052 5118 5170 6102 15023 15007 15151 15433
P 229 230 262 297 300 15247 102 105 156 207 208 2812
T 596
W 18401 18451 18461 921 922 941 942 952
T 233 10054 10053 10061 17809 17810 17830 26 1205 1222 1807 3023 3204 4319 4347 701 802
X 923 924 3101 3701 3702 3703 5011 5030 5061 5064 5070
F 926 1818 1824 1829 1832 3021 3043 3053 3049 3102 3161 3163 3166 3167 3206 3207 3044 3038 3057 3078 3234 3313 3314 3456 4202 823 824 825 832
F 9001 9003 9004 6101 6103 6104 6105 6107 6115 5113
I 927 3009 3014 3041 3153 3211 3262 3906 6120
D 945 1105 9002 3201 3202 3203 3257 3268 3269 3272 3271 3634 5105 5120 5123 5133 5149 5144 5145
V 943 946 948 950 905 909 932 933 934 937 980 1827 3169 3168 3255
= 1802 1813 3013 3119 5069
R 3117 3118 3121 3136 3441 3443 3445 4320 4323 4330 4331 4333
S 3120 4326 6106
M 3132 3133 3231 3258 3182 3183 3184 3185 3186 3189 3208 3241 3242 3243 3254 3256 3266 3270 5171 5172 5173 5178 5108
G 4305 4312
L 3035 4214 4219";

fn letter(class: Class) -> &'static str {
    match class {
        Class::Transient => "T",
        Class::Wait => "W",
        Class::Exclusive => "X",
        Class::Skip => "S",
        Class::Gap => "G",
        Class::Reseed => "R",
        Class::Full => "L",
        Class::Permission => "P",
        Class::Disk => "D",
        Class::Media => "M",
        Class::Version => "V",
        Class::Fatal => "F",
        Class::Info => "I",
        Class::Previous => "=",
        Class::Unknown => "?",
    }
}

#[test]
fn every_number_of_the_sheet_has_its_class() {
    let mut listed = HashSet::new();
    for line in SHEET.lines().filter(|line| !line.is_empty()) {
        let (class, numbers) = line.split_once(' ').unwrap();
        for number in numbers.split(' ').map(|number| number.parse::<u32>().unwrap()) {
            assert!(listed.insert(number), "{number} twice in the test");
            let entry = entry(number).unwrap_or_else(|| panic!("{number} is missing"));
            assert_eq!(letter(entry.class), class, "{number}");
        }
    }
    let mut in_table = HashSet::new();
    for number in catalogue::CATALOGUE.iter().flat_map(|entry| entry.numbers) {
        assert!(in_table.insert(*number), "{number} twice in the table");
    }
    assert_eq!(in_table, listed);
}

#[test]
fn both_languages_say_something() {
    let mut kinds = HashSet::new();
    for entry in catalogue::CATALOGUE {
        assert!(kinds.insert(entry.kind), "{} twice", entry.kind);
        assert!(entry.kind.starts_with("sql_") && entry.kind.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'));
        for text in [entry.message(), entry.remedy()] {
            assert!(text.es.len() > 3 && text.en.len() > 3 && text.es != text.en, "{}", entry.kind);
        }
    }
}

fn message(number: u32, text: &str) -> Message {
    let severity = match number {
        3014 | 3211 => 10,
        948 | 950 => 20,
        18456 => 14,
        _ => 16,
    };
    Message { number, severity, state: 1, text: text.to_owned() }
}

fn chain(numbers: &[u32]) -> Vec<Message> {
    numbers.iter().map(|number| message(*number, "x")).collect()
}

#[test]
fn a_chain_resolves_to_its_cause() {
    for (numbers, cause_number, class_of) in [
        (&[3201, 3013][..], 3201, Class::Disk),
        (&[3013], 3013, Class::Previous),
        (&[4305, 3013], 4305, Class::Gap),
        (&[4326, 3013], 4326, Class::Skip),
        (&[1813, 948], 948, Class::Version),
        (&[1813, 1802, 5120], 5120, Class::Disk),
        (&[5061, 5069], 5061, Class::Exclusive),
        (&[5069, 5061], 5061, Class::Exclusive),
        (&[3634, 3156, 3119, 3013], 3634, Class::Disk),
        (&[5133, 3156, 3119, 3013], 5133, Class::Disk),
        (&[3156, 3119, 3013], 3156, Class::Permission),
        (&[3211, 3043, 3041, 3013], 3043, Class::Fatal),
        (&[3009], 3009, Class::Info),
        (&[3009, 3202, 3013], 3202, Class::Disk),
        (&[60_001, 3013], 60_001, Class::Unknown),
        (&[60_001, 3101, 3013], 3101, Class::Exclusive),
        (&[4060, 18456], 4060, Class::Permission),
        (&[3211, 3014], 3211, Class::Info),
    ] {
        let chain = chain(numbers);
        assert_eq!(cause(&chain).unwrap().number, cause_number, "{numbers:?}");
        assert_eq!(class(&chain), class_of, "{numbers:?}");
    }
    assert_eq!((cause(&[]), class(&[])), (None, Class::Unknown));
    let lost = Message { severity: 21, ..message(60_001, "x") };
    assert_eq!(lost.class(), Class::Fatal);
}

#[test]
fn the_system_decides_where_the_number_leaves_it_open() {
    for (number, text, class, kind) in [
        (
            3201,
            "Cannot open backup device 'C:\\x'. Operating system error 5(Access is denied.).",
            Class::Permission,
            "sql_access_denied",
        ),
        (3201, "No se puede abrir el dispositivo 'C:\\x'. Error del sistema operativo 32(…).", Class::Transient, "sql_file_busy"),
        (3202, "Write on \"C:\\x\" failed: 112(There is not enough space on the disk.)", Class::Disk, "sql_disk_full"),
        (3203, "Read on \"C:\\x\" failed: 38(Reached the end of the file.)", Class::Media, "sql_truncated_backup"),
        (
            3634,
            "The operating system returned the error '3(…)' while attempting 'x' on 'C:\\y'.",
            Class::Permission,
            "sql_path_missing",
        ),
        (
            3271,
            "A nonrecoverable I/O error occurred on file \"x\" 64(The specified network name…).",
            Class::Disk,
            "sql_network_path",
        ),
        (3201, "Cannot open backup device 'x'. Operating system error 4242(?).", Class::Disk, "sql_device"),
        (4305, "error 5(…)", Class::Gap, "sql_gap"), // carries none
    ] {
        let chain = [message(number, text), message(3013, "BACKUP LOG is terminating abnormally.")];
        assert_eq!(super::class(&chain), class, "{text}");
        let failure = failure(&text!("respaldar BDPdv", "back up BDPdv"), &chain);
        assert_eq!((failure.kind.as_str(), failure.causes.len()), (kind, 2), "{text}");
    }
}

#[test]
fn numbers_of_the_system_are_read_in_any_language() {
    for (text, number) in [
        ("Operating system error 5(Access is denied.).", Some(5)),
        ("Error del sistema operativo 1326(Error de inicio de sesión).", Some(1326)),
        ("CREATE FILE encountered operating system error 5(x) while …", Some(5)),
        ("el sistema operativo devolvió el error '2(El sistema no puede…)' al intentar", Some(2)),
        ("failed: 112(failed to retrieve text for this error. Reason: 15105)", Some(112)),
        ("Device 'C:\\Copia 7(1)\\x' : 33(locked)", Some(33)),
        ("Betriebssystemfehler 5(Zugriff verweigert)", Some(5)),
        ("nothing at all", None),
        ("error", None),
        ("", None),
        ("año(1) 99999999999999(x)", None),
    ] {
        assert_eq!(os_error(text), number, "{text}");
    }
}

#[test]
fn a_failure_says_what_was_done_and_all_that_was_said() {
    let chain = [
        message(3211, "10 percent processed."),
        message(4305, "The log in this backup set…\r\nbegins"),
        message(3013, "RESTORE…"),
    ];
    let failure = failure(&text!("aplicar la copia 17", "apply copy 17"), &chain);
    assert_eq!(failure.message.en, "could not apply copy 17: a log backup between what is applied and this one is missing");
    assert!(failure.message.es.starts_with("no se pudo aplicar la copia 17: falta"));
    assert_eq!(failure.causes, ["4305: The log in this backup set…  begins", "3013: RESTORE…"]);
    assert_eq!((failure.kind.as_str(), failure.retry), ("sql_gap", Retry::Permanent));
    assert!(failure.render(Lang::Es).contains("sugerencia: "));
}

#[test]
fn trying_again_helps_where_it_helps() {
    for (number, retry) in [
        (1205, Retry::Temporary),
        (922, Retry::Temporary),
        (3101, Retry::Temporary),
        (9002, Retry::Temporary),
        (18456, Retry::Permanent),
        (3241, Retry::Permanent),
        (948, Retry::Permanent),
        (4330, Retry::Permanent),
        (824, Retry::Permanent),
        (60_001, Retry::Permanent),
    ] {
        assert_eq!(failure(&Text::same("x"), &chain(&[number])).retry, retry, "{number}");
    }
    for (io, connecting, client) in [
        (std::io::ErrorKind::ConnectionRefused, true, Client::Refused),
        (std::io::ErrorKind::TimedOut, true, Client::ConnectTimeout),
        (std::io::ErrorKind::TimedOut, false, Client::AnswerTimeout),
        (std::io::ErrorKind::ConnectionReset, false, Client::Lost),
        (std::io::ErrorKind::UnexpectedEof, false, Client::Lost),
        (std::io::ErrorKind::NotFound, true, Client::Unreachable),
        (std::io::ErrorKind::InvalidData, false, Client::Protocol),
    ] {
        assert_eq!(Client::of_io(io, connecting), client, "{io:?}");
    }
    let mut kinds = HashSet::new();
    for client in Client::ALL {
        let failure = client.failure(r"CAJA1\SQLEXPRESS", "os error 111\r\nPASSWORD='x y' ,z");
        assert!(failure.message.es.contains("CAJA1") && failure.message.en.contains("CAJA1") && failure.hint.is_some());
        assert_eq!(failure.causes, ["os error 111  PASSWORD=… ,z"]);
        assert_eq!(failure.retry, client.retry());
        assert!(kinds.insert(failure.kind), "{client:?}");
    }
}

#[test]
fn what_the_driver_can_answer_is_in_the_table() {
    for number in [1844, 3170, 3180, 4208, 3035, 4214, 4219, 4319, 4347, 4060, 4064, 3102, 3153, 3120, 4326, 6106] {
        assert!(answer(number).is_some() && entry(number).is_some(), "{number}");
    }
    assert_eq!((answer(4214), answer(18456)), (Some(Answer::Full), None));
}

#[test]
fn secrets_are_cut_out() {
    for (words, shown) in [
        ("near '0x0200AABBCCDDEEFF00112233'.", "near '0x…'."),
        ("0X0200AABBCCDDEEFF and 0x16", "0X… and 0x16"),
        ("WITH PASSWORD=N'it''s ]secret' , x", "WITH PASSWORD=… , x"),
        ("password = hunter2; user=a", "password =…; user=a"),
        ("the password of pdv expired", "the password of pdv expired"),
        ("PASSWORD='open", "PASSWORD=…"),
        ("PASSWORD=", "PASSWORD=…"),
    ] {
        assert_eq!(clean(words), shown.replace("password =…", "password=…"), "{words}");
    }
}

proptest! {
    #[test]
    fn any_words_can_be_cleaned_and_read(words: String, like in "(0x[0-9A-F]{0,20}|PASSWORD ?= ?N?'?|''?|[é(1]){0,8}") {
        for words in [words, like] {
            prop_assert!(!clean(&words).chars().any(char::is_control));
            let _ = os_error(&words);
        }
    }

    #[test]
    fn no_hash_gets_through(hash in "[0-9A-F]{32,140}", before in "[a-z' =]{0,9}") {
        let failure = failure(&Text::same("x"), &[message(15433, &format!("{before}0x{hash} x"))]);
        prop_assert!(!failure.render(Lang::En).contains(&hash[..16]));
    }
}
