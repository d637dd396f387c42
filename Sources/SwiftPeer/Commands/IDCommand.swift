import ArgumentParser
import Wire

/// `swift-peer id`.
struct IDCommand: Executable {
    static let configuration = CommandConfiguration(
        commandName: "id", abstract: "Print the peer id of the identity file, creating it when missing.")

    @OptionGroup var store: StoreOptions

    func execute(_ environment: Environment) throws(Failure) -> ProcessStatus {
        let settings = try StoreSettings(store, environment: environment)
        let file = try IdentityFile.load(IdentityFile.path(settings))
        if let notice = file.notice { StandardError.write(notice) }
        print(file.keyPair.peerID)
        return .success
    }
}
