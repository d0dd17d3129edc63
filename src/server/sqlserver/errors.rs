//! What a server says when it refuses: number to class, kind and words in both languages.
