import Foundation

/// Names that people take for each other. Look-up stays exact; this is asked when a name is new.
extension Username {
    /// The same for names that differ only in case, width or invisible characters.
    package static func folded(_ name: String) -> String {
        // ASCII has no widths, and no invisible characters that a name may have.
        guard !name.utf8.allSatisfy({ $0 < 0x80 }) else { return name.lowercased() }
        let visible = String(
            String.UnicodeScalarView(visibleScalars(name).flatMap { caseFolded($0) }))
        return visible.precomposedStringWithCanonicalMapping
    }

    /// What is left of a name once letters that look alike are one letter; names that share one of
    /// these look alike. Latin, Cyrillic and Greek, and 0, 1 and the like.
    package static func skeletons(_ name: String) -> Set<String> {
        [name, folded(name)].reduce(into: []) { skeletons, spelling in
            skeletons.insert(skeleton(spelling))
        }
    }

    private static func skeleton(_ name: String) -> String {
        let visible = String(String.UnicodeScalarView(visibleScalars(name)))
        var bare = String.UnicodeScalarView()
        // Decomposed, so that a letter with an accent is the letter that it looks like, and the
        // accent.
        for scalar in visible.decomposedStringWithCanonicalMapping.unicodeScalars {
            let latin = alike[scalar] ?? scalar
            for folded in caseFolded(latin) { bare.append(alike[folded] ?? folded) }
        }
        return String(bare).replacing("rn", with: "m").replacing("vv", with: "w")
    }

    /// Without what shows nothing, and in one width.
    private static func visibleScalars(_ name: String) -> [Unicode.Scalar] {
        name.unicodeScalars.flatMap { scalar -> [Unicode.Scalar] in
            let properties = scalar.properties
            switch properties.generalCategory {
            case .format, .control: return []
            case .spaceSeparator: return [" "]
            default: break
            }
            if properties.isDefaultIgnorableCodePoint { return [] }
            switch scalar.value {
            // Braille without a dot.
            case 0x2800: return [" "]
            // Halfwidth and fullwidth forms.
            case 0xFF00...0xFFEF:
                return Array(
                    String(scalar).precomposedStringWithCompatibilityMapping.unicodeScalars)
            default: return [scalar]
            }
        }
    }

    /// Twice, because some letters have two capitals or two small forms.
    private static func caseFolded(_ scalar: Unicode.Scalar) -> [Unicode.Scalar] {
        scalar.properties.uppercaseMapping.unicodeScalars.flatMap {
            Array($0.properties.lowercaseMapping.unicodeScalars)
        }
    }

    /// A letter, and the Latin one that it looks like. From the confusables of Unicode Technical
    /// Standard 39, those of the three scripts.
    private static let alike: [Unicode.Scalar: Unicode.Scalar] = {
        let pairs: [(letters: String, latin: String)] = [
            // Cyrillic, capital and small.
            ("АВЕЅІЈКМНОРСТУХҮҺԀԚԜЬӀ", "abesljkmhopctyxyhdqwbl"),
            ("авеѕіјкмнорстухүһԁԛԝьӏгѵ", "abesijkmhopctyxyhdqwblrv"),
            // Greek, capital and small.
            ("ΑΒΕΖΗΙΚΜΝΟΡΤΥΧ", "abezhlkmnoptyx"),
            ("αβγεηικνορςστυχω", "abyenikvopcotuxw"),
            // Latin, and digits.
            ("Iıɩɑɡǀ|10", "liiaglllo"),
        ]
        var alike: [Unicode.Scalar: Unicode.Scalar] = [:]
        for (letters, latin) in pairs {
            for (letter, other) in zip(letters.unicodeScalars, latin.unicodeScalars) {
                alike[letter] = other
            }
        }
        return alike
    }()
}
