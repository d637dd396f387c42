@main struct SwiftPeer { static func main() {} }
