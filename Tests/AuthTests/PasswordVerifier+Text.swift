import Auth
import POSIX

extension PasswordVerifier {
    func check(_ text: String, of user: User?) -> Outcome {
        check(SecretBytes(Array(text.utf8)), of: user)
    }

    func newHash(of text: String) -> PasswordHash? { newHash(of: SecretBytes(Array(text.utf8))) }
}
