/// How a page looks, and the few lines of script that switch x axes.
enum PageStyle {
    static let rules = String(decoding: PackageResources.page_css, as: UTF8.self)
    static let script = String(decoding: PackageResources.page_js, as: UTF8.self)
}
