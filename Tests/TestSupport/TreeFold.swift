/// The reduction tree by its definition: left + right, where the left subtree takes the largest
/// power of two below the number of leaves.
package func treeFold<Value>(_ leaves: ArraySlice<Value>, _ add: (Value, Value) -> Value) -> Value {
    guard leaves.count > 1 else { return leaves[leaves.startIndex] }
    var left = 1
    while left * 2 < leaves.count { left *= 2 }
    let middle = leaves.startIndex + left
    return add(treeFold(leaves[..<middle], add), treeFold(leaves[middle...], add))
}

/// The tree's sum of vectors of one length.
package func treeFold(_ leaves: [[Float]]) -> [Float] {
    treeFold(leaves[...]) { left, right in zip(left, right).map { $0 + $1 } }
}
