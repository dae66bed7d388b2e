import Foundation
import Testing

@testable import Manual

@Suite("ManualPage")
struct ManualPageTests {
    /// The repository.
    private let root: URL = {
        var folder = URL(filePath: #filePath)
        for _ in 0..<3 { folder.deleteLastPathComponent() }
        return folder
    }()

    @Test func `the list has every file of the folder, once`() throws {
        let files = try FileManager.default.contentsOfDirectory(
            atPath: root.appending(path: "Sources/Manual/Pages").path)
        #expect(ManualPage.all.map { "\($0.name).md" }.sorted() == files.sorted())
    }

    @Test(arguments: ManualPage.all)
    func `a page is found by its name and has the text of its file`(page: ManualPage) throws {
        let file = root.appending(path: "Sources/Manual/Pages/\(page.name).md")
        #expect(page.text == (try String(contentsOf: file, encoding: .utf8)))
        #expect(ManualPage.named(page.name)?.title == page.title)
    }

    @Test func `an unknown name has no page`() {
        for name in ["", "Configuration", "configuration.md", "../configuration"] {
            #expect(ManualPage.named(name) == nil)
        }
    }

    @Test(arguments: ManualPage.all)
    func `a page begins with a title, what it is for, and an example`(page: ManualPage) throws {
        let lines = page.text.split(separator: "\n", omittingEmptySubsequences: false)
        #expect(lines[0] == "# \(page.title)")
        #expect(!page.title.isEmpty)
        #expect(lines[1].isEmpty)
        #expect(lines[2].first?.isUppercase == true || lines[2].hasPrefix("`"))
        let example = try #require(lines.firstIndex { $0.hasPrefix("```") })
        #expect(example < 30)
    }

    @Test(arguments: ManualPage.all)
    func `prose is wrapped at 100 columns`(page: ManualPage) {
        var isCode = false
        for line in page.text.split(separator: "\n", omittingEmptySubsequences: false) {
            if line.hasPrefix("```") { isCode.toggle() }
            #expect(isCode || line.hasPrefix("|") || line.count <= 100, "\(line)")
        }
        #expect(!isCode)
    }

    @Test(arguments: ManualPage.all)
    func `the rows of a table have as many cells as its header`(page: ManualPage) {
        var header: Int?
        for line in page.text.split(separator: "\n", omittingEmptySubsequences: false) {
            guard line.hasPrefix("|") else {
                header = nil
                continue
            }
            let bars = line.replacing("\\|", with: "").filter { $0 == "|" }.count
            #expect(bars == header ?? bars, "\(line)")
            header = bars
        }
    }

    @Test func `links lead to pages and headings that exist`() throws {
        let readme = try String(contentsOf: root.appending(path: "README.md"), encoding: .utf8)
        let prefix = "Sources/Manual/Pages/"
        for target in readme.links where !target.contains("://") {
            guard target.hasPrefix(prefix) else {
                #expect(
                    target.hasPrefix("#")
                        ? readme.anchors.contains(String(target.dropFirst()))
                        : FileManager.default.fileExists(atPath: root.appending(path: target).path),
                    "README: \(target)")
                continue
            }
            #expect(
                ManualPage.named(String(target.dropFirst(prefix.count).dropLast(3))) != nil,
                "\(target)")
        }
        for page in ManualPage.all {
            for target in page.text.links where !target.contains("://") {
                let parts = target.split(
                    separator: "#", maxSplits: 1, omittingEmptySubsequences: false)
                let name = parts[0].isEmpty ? page.name : String(parts[0].dropLast(3))
                let other = ManualPage.named(name)
                #expect(other != nil, "\(page.name): \(target)")
                guard parts.count > 1 else { continue }
                #expect(
                    other?.text.anchors.contains(String(parts[1])) == true,
                    "\(page.name): \(target)")
            }
        }
    }

    @Test func `a section is the text from its heading to the next one`() throws {
        let commands = try #require(ManualPage.named("commands"))
        let section = try #require(commands.section("reload"))
        #expect(section.hasPrefix("## reload\n"))
        #expect(section.hasSuffix("```\n"))
        #expect(!section.dropFirst(3).contains("\n## "))
        #expect(commands.section("Reload") == nil)
        #expect(commands.sections.contains("log"))
    }

    @Test func `README has at most 250 lines, and no line of prose over 160 columns`() throws {
        let readme = try String(contentsOf: root.appending(path: "README.md"), encoding: .utf8)
        let lines = readme.split(separator: "\n", omittingEmptySubsequences: false)
        #expect(lines.count <= 251)
        for line in lines where !line.hasPrefix("|") && !line.hasPrefix("2026-") {
            #expect(line.count <= 160, "\(line)")
        }
    }
}

extension ManualPage: CustomTestStringConvertible {
    public var testDescription: String { name }
}

extension String {
    /// The targets of links outside code.
    fileprivate var links: [String] {
        matches(of: #/\]\(([^)\s]+)\)/#).map { String($0.1) }
    }

    /// The anchors of the headings, as GitHub makes them.
    fileprivate var anchors: Set<String> {
        var isCode = false
        var anchors: Set<String> = []
        for line in split(separator: "\n", omittingEmptySubsequences: false) {
            if line.hasPrefix("```") { isCode.toggle() }
            guard !isCode, line.hasPrefix("#") else { continue }
            let title = line.drop { $0 == "#" || $0 == " " }.lowercased()
            anchors.insert(
                String(title.filter { $0.isLetter || $0.isNumber || "-_ ".contains($0) })
                    .replacing(" ", with: "-"))
        }
        return anchors
    }
}
