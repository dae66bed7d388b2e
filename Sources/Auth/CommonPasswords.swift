/// The passwords that whoever guesses tries first, of those that are long enough to be one at all: from
/// the top of the lists that were published after breaches (SecLists, 10k-most-common and
/// xato-net-10-million-passwords-1000), and what stands in manuals. Lower case.
enum CommonPasswords {
    static func contains(_ lowered: String) -> Bool { all.contains(lowered) }

    static let all: Set<String> = Set(
        """
        00000000 000000000 0000000000 01234567 0123456789 09876543 0987654321 10203040 11111111
        111111111 1111111111 11223344 112233445566 12121212 123123123 12341234 1234512345
        12344321 12345678 123456789 1234567890 123456789a 123456789q 1234qwer 123qweasd
        123qwe123 12qwaszx 147258369 1q2w3e4r 1q2w3e4r5t 1q2w3e4r5t6y 1qaz2wsx 1qaz2wsx3edc
        1qazxsw2 22222222 33333333 44444444 55555555 66666666 77777777 789456123 87654321
        88888888 987654321 9876543210 99999999 a1234567 a12345678 a123456789 aa123456 aa12345678
        aaaaaaaa abc12345 abc123456 abcd1234 abcdefgh abcdefg1 access14 adminadmin admin123
        admin1234 administrator alexander asdasdasd asdf1234 asdfasdf asdfghjk asdfghjkl baseball
        basketball bigdaddy blink182 butterfly changeme changeme1 changeit chocolate computer
        consumer corvette danielle default1 dragon123 einstein elephant facebook football
        football1 garfield gatehouse google123 hello123 hellohello iloveyou iloveyou1 internet
        jennifer jonathan jordan23 k1234567 letmein1 letmein123 liverpool lovelove marlboro
        master123 maverick mercedes michelle midnight monkey123 mustang1 nicholas p@ssw0rd
        p@ssword pa$$w0rd pa55word passpass passw0rd passw0rd1 password password! password0
        password01 password1 password1! password12 password123 password1234 password2
        password11 pokemon1 princess princess1 q1w2e3r4 q1w2e3r4t5 qazwsxedc qwer1234 qwerqwer
        qwert123 qwerty12 qwerty123 qwerty1234 qwerty12345 qwertyui qwertyuiop rootroot samantha
        scorpion secret123 security starwars steelers sunshine sunshine1 superman superman1
        temp1234 test1234 testtest trustno1 veronica victoria welcome1 welcome123 whatever
        william1 zaq12wsx zaq1zaq1 zxcvbnm1 zxcvbnm123 zzzzzzzz
        """.split { $0 == " " || $0 == "\n" }.map(String.init))
}
