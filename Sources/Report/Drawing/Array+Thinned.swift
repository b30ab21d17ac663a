extension Array {
    /// At most `count` of the elements, evenly chosen, the first and the last among them.
    func thinned(to count: Int) -> [Element] {
        guard self.count > count, count > 1 else { return self }
        return (0..<count).map { self[$0 * (self.count - 1) / (count - 1)] }
    }
}
