import Foundation

extension TextStyle {
    /// What the place behind a descriptor can show.
    package static func of(_ descriptor: Int32) -> TextStyle {
        let environment = ProcessInfo.processInfo.environment
        var size = winsize()
        let isTerminal = isatty(descriptor) != 0
        let hasSize =
            unsafe isTerminal && ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0
            && size.ws_col > 0
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].lazy
            .compactMap { environment[$0] }.first { !$0.isEmpty }
        let isASCII = locale == "C" || locale == "POSIX"
        return TextStyle(
            width: hasSize ? Int(size.ws_col) : 80, usesUnicode: !isASCII,
            usesColour: isTerminal && environment["NO_COLOR", default: ""].isEmpty
                && environment["TERM"] != "dumb")
    }
}
