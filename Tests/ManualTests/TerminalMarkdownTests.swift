import Testing

@testable import Manual

@Suite("TerminalMarkdown")
struct TerminalMarkdownTests {
    private func rendered(_ text: String, width: Int = 40) -> String {
        TerminalMarkdown.rendered(text, width: width)
            .replacing("\u{1B}[1m", with: "<").replacing("\u{1B}[0m", with: ">")
    }

    @Test func `a heading is bold, with an empty line before and after it`() {
        #expect(rendered("# One\ntext\n## Two\nmore") == "<One>\n\ntext\n\n<Two>\n\nmore\n")
    }

    @Test func `a paragraph is wrapped at the width, whatever its own lines are`() {
        #expect(
            rendered("one two three four five six\nseven eight nine ten")
                == "one two three four five six seven eight\nnine ten\n")
    }

    @Test func `the items of a list are indented by their markers`() {
        #expect(
            rendered(
                "- one two three four five six seven\n  eight nine\n- ten\n1. first\n12. twelfth")
                    == """
                    - one two three four five six seven
                      eight nine
                    - ten
                    1. first
                    12. twelfth

                    """)
    }

    @Test func `a code block is indented and keeps its lines`() {
        #expect(
            rendered("text\n```console\n$ a  b # no heading\n| no table |\n```\nmore")
                == "text\n\n    $ a  b # no heading\n    | no table |\n\nmore\n")
    }

    @Test func `code and strong text are bold, and links are their text`() {
        #expect(
            rendered("`a b` and **c `d`**, [e](e.md), [f](https://g/)")
                == "<a b> and <c d>, e, f (https://g/)\n")
    }

    @Test(arguments: ["`a", "**a", "****", "[a](b", "[a]", "a ] ( b", "*", "|`|"])
    func `an unpaired Markdown delimiter is printed as text`(text: String) {
        #expect(!rendered("x \(text)").isEmpty)
        #expect(rendered("x \(text)").filter { $0 != "<" && $0 != ">" }.hasPrefix("x "))
    }

    @Test func `the columns of a table are aligned`() {
        #expect(
            rendered("| a | b |\n| --- | --- |\n| long word | c |\n| d | `e` |")
                == """
                <a>          <b>
                long word  c
                d          <e>

                """)
    }

    @Test func `a wide column is wrapped within the table`() {
        #expect(
            rendered(
                "| a | b |\n| --- | --- |\n| c | one two three four five six seven eight |\n| d |"
            )
                == """
                <a>  <b>
                c  one two three four five six seven
                   eight
                d

                """)
    }

    @Test func `a table that does not fit lists the cells of each row below each other`() {
        #expect(
            rendered(
                """
                | key | type | meaning |
                | --- | --- | --- |
                | `server.body_timeout.of.this` | duration | one two three four five six seven |
                | `b` | | c |
                """)
                    == """
                    <server.body_timeout.of.this>
                        type     duration
                        meaning  one two three four five six
                                 seven

                    <b>
                        meaning  c

                    """)
    }

    @Test func `an empty header is not printed`() {
        #expect(rendered("| | |\n| --- | --- |\n| a | b |") == "a  b\n")
    }

    @Test func `a bar with a backslash is part of a cell`() {
        #expect(rendered("| a |\n| --- |\n| b \\| c \\ |") == "<a>\nb | c \\\n")
    }

    @Test(arguments: [Int.min, -1, 0, 1, 7, 80, 10_000, Int.max])
    func `every page can be printed at every width`(width: Int) {
        for page in ManualPage.all {
            #expect(!TerminalMarkdown.rendered(page.text, width: width).isEmpty)
        }
    }

    @Test func `no line of a page is wider than the terminal, except code and long words`() {
        for page in ManualPage.all {
            for line in rendered(page.text, width: 80).split(separator: "\n")
            where !line.hasPrefix("    ") {
                let text = line.filter { $0 != "<" && $0 != ">" }
                #expect(text.count <= 80 || text.contains("https://"), "\(page.name): \(text)")
            }
        }
    }

    @Test func `no text is an error`() {
        let pieces = [
            "|", "`", "**", "[", "](", ")", "#", "- ", "1. ", "```", "\n", " ", "\\", "a", "é",
            "\0",
        ]
        for seed in UInt64(1)...2000 {
            // A linear congruential generator: the same texts in every run.
            var state = seed
            let text = (0..<seed % 40).map { _ in
                state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                return pieces[Int(state >> 33) % pieces.count]
            }.joined()
            _ = TerminalMarkdown.rendered(text, width: Int(seed % 66) - 5)
        }
    }
}
