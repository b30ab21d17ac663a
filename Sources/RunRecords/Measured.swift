/// A measurement that may not be finite. JSON has no word for NaN and infinity, so both are written
/// as null, and null is read as NaN.
@propertyWrapper
package struct Measured<Value: BinaryFloatingPoint & Decodable & Sendable>: Decodable, Equatable,
    Sendable
{
    package var wrappedValue: Value

    package init(wrappedValue: Value) {
        self.wrappedValue = wrappedValue
    }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        wrappedValue = container.decodeNil() ? .nan : try container.decode(Value.self)
    }
}

/// A ``Measured`` value for each layer.
@propertyWrapper
package struct MeasuredByLayer: Decodable, Equatable, Sendable {
    package var wrappedValue: [Float]

    package init(wrappedValue: [Float]) {
        self.wrappedValue = wrappedValue
    }

    package init(from decoder: any Decoder) throws {
        wrappedValue = try decoder.singleValueContainer().decode([Float?].self).map { $0 ?? .nan }
    }
}

/// ``MeasuredByLayer``, or nothing where a log has no word of it.
@propertyWrapper
package struct MeasuredByLayerIfAtAll: Decodable, Equatable, Sendable {
    package var wrappedValue: [Float]

    package init(wrappedValue: [Float]) {
        self.wrappedValue = wrappedValue
    }

    package init(from decoder: any Decoder) throws {
        wrappedValue = try MeasuredByLayer(from: decoder).wrappedValue
    }
}

extension KeyedDecodingContainer {
    package func decode(
        _ type: MeasuredByLayerIfAtAll.Type, forKey key: Key
    ) throws -> MeasuredByLayerIfAtAll {
        try decodeIfPresent(type, forKey: key) ?? MeasuredByLayerIfAtAll(wrappedValue: [])
    }
}
