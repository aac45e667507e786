#pragma once

#include <string_view>

namespace transit {

/// A planet that others found and published.
struct Published {
  std::string_view star;  ///< As LightCurve::name has it.
  std::string_view planet;
  double period = 0;  ///< Days.
  std::string_view source;
};

/// What is published for the star, null if nothing is known here. Upper and lower case, blanks and
/// punctuation make no difference.
const Published* published_for(std::string_view star);

/// How a period that was found stands to the published one.
enum class Agreement {
  same,      ///< Within 1 %.
  harmonic,  ///< Within 1 % of a small multiple or part of it: the same transits, counted wrongly.
  other,
};
Agreement compare(double found, double published);

}  // namespace transit
