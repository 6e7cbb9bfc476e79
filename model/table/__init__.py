"""The lease table: language, vocabulary, each rule once; not what a term means to a program."""
