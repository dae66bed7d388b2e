import Foundation

/// Detects user names that can be confused with each other. Lookup is exact; this is for new names.
extension Username {
    /// Equal for names that differ only in case, width or invisible characters.
    package static func folded(_ name: String) -> String {
        // ASCII has no width variants, and no invisible characters that a name may contain.
        guard !name.utf8.allSatisfy({ $0 < 0x80 }) else { return name.lowercased() }
        let visible = String(
            String.UnicodeScalarView(visibleScalars(name).flatMap { caseFolded($0) }))
        return visible.precomposedStringWithCanonicalMapping
    }

    /// The name with each group of similar letters reduced to one letter; names that share a
    /// skeleton look alike. Covers Latin, Cyrillic and Greek letters, and digits such as 0 and 1.
    package static func skeletons(_ name: String) -> Set<String> {
        [name, folded(name)].reduce(into: []) { skeletons, spelling in
            skeletons.insert(skeleton(spelling))
        }
    }

    private static func skeleton(_ name: String) -> String {
        let visible = String(String.UnicodeScalarView(visibleScalars(name)))
        var bare = String.UnicodeScalarView()
        // Decomposed, so that an accented letter is compared as its base letter plus the accent.
        for scalar in visible.decomposedStringWithCanonicalMapping.unicodeScalars {
            let latin = alike[scalar] ?? scalar
            for folded in caseFolded(latin) { bare.append(alike[folded] ?? folded) }
        }
        return String(bare).replacing("rn", with: "m").replacing("vv", with: "w")
    }

    /// Without invisible characters, and with width variants mapped.
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
            // Braille pattern blank.
            case 0x2800: return [" "]
            // Halfwidth and fullwidth forms.
            case 0xFF00...0xFFEF:
                return Array(
                    String(scalar).precomposedStringWithCompatibilityMapping.unicodeScalars)
            default: return [scalar]
            }
        }
    }

    /// Maps to upper case and then to lower case, because some letters have two forms of either.
    private static func caseFolded(_ scalar: Unicode.Scalar) -> [Unicode.Scalar] {
        scalar.properties.uppercaseMapping.unicodeScalars.flatMap {
            Array($0.properties.lowercaseMapping.unicodeScalars)
        }
    }

    /// Letters and the Latin letters they resemble, for the three scripts: from the confusables of
    /// Unicode Technical Standard 39.
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
