/// Where settings come from when the command line does not say: `SWIFT_PEER_…` variables.
struct Environment: Sendable {
    /// A value together with the name its giver knows it by.
    struct Given: Equatable, Sendable {
        /// `--port` or `SWIFT_PEER_PORT`.
        let name: String
        /// The text as given.
        let value: String
    }

    private let variables: [String: String]

    /// The variables of a process, or of a test.
    init(_ variables: [String: String]) { self.variables = variables }

    /// A variable of the system, nil when it is absent or empty.
    subscript(name: String) -> String? {
        guard let value = variables[name], !value.isEmpty else { return nil }
        return value
    }

    /// `--no-mdns` is `SWIFT_PEER_NO_MDNS`.
    static func variable(for flag: String) -> String {
        "SWIFT_PEER_" + flag.drop { $0 == "-" }.uppercased().replacing("-", with: "_")
    }

    /// What `flag` was given: on the command line, otherwise by its variable.
    func value(_ flag: String, _ argument: String?) throws(Failure) -> Given? {
        if let argument { return try Self.given(flag, argument) }
        let name = Self.variable(for: flag)
        return self[name].map { Given(name: name, value: $0) }
    }

    /// All values of a repeatable `flag`; on the command line any value replaces the variable's comma-separated ones.
    func list(_ flag: String, alias: String? = nil, _ arguments: [String], limit: Int) throws(Failure) -> [Given] {
        var result: [Given] = []
        for argument in arguments { result.append(try Self.given(flag, argument)) }
        if arguments.isEmpty {
            for flag in [flag] + (alias.map { [$0] } ?? []) {
                let name = Self.variable(for: flag)
                for part in (self[name] ?? "").split(separator: ",") {
                    result.append(Given(name: name, value: part.trimmingSpaces))
                }
            }
        }
        if result.count > limit {
            throw .badValue(result[limit].name, result[limit].value, "more than \(limit) of them")
        }
        return result
    }

    /// Whether a flag without a value is on.
    func isOn(_ flag: String, _ argument: Bool) throws(Failure) -> Bool {
        if argument { return true }
        let name = Self.variable(for: flag)
        guard let value = self[name] else { return false }
        switch value.lowercased() {
        case "1", "true", "yes", "on": return true
        case "0", "false", "no", "off": return false
        default: throw .badValue(name, value, "neither true nor false")
        }
    }

    private static func given(_ flag: String, _ argument: String) throws(Failure) -> Given {
        // The parser hands over whatever follows, so that `--port -1` can be refused for what it is.
        guard !argument.hasPrefix("--") else { throw .badValue(flag, argument, "a value is missing before it") }
        return Given(name: flag, value: argument)
    }
}

extension Substring {
    /// The text without spaces at either end.
    var trimmingSpaces: String {
        var text = self
        while text.first?.isWhitespace == true { text.removeFirst() }
        while text.last?.isWhitespace == true { text.removeLast() }
        return String(text)
    }
}
