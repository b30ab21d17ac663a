/// This release.
package let lockstepVersion = "0.1.0"
