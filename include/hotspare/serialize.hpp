#pragma once

/// How arguments and results become bytes. Standard types work as they are. For a type of your own give cereal's
/// usual function, in the class or beside it:
///
///     struct Star { std::string name; double magnitude;
///                   template <class Archive> void serialize(Archive& ar) { ar(name, magnitude); } };
///
/// A trivially copyable class without such a function travels as its raw bytes when it is an argument or
/// result itself (give it a function to put it into containers). The bytes are read by the same program on
/// the same machine only: no versioning, no byte order. An address among them is refused: by the compiler where it can see
/// the members, which is in aggregates, and else at submit, by value (Error).

#include <hotspare/buffer.hpp>
#include <hotspare/detail/holds_address.hpp>
#include <hotspare/error.hpp>

#include <cereal/cereal.hpp>
#include <cereal/types/array.hpp>
#include <cereal/types/bitset.hpp>
#include <cereal/types/chrono.hpp>
#include <cereal/types/complex.hpp>
#include <cereal/types/deque.hpp>
#include <cereal/types/list.hpp>
#include <cereal/types/map.hpp>
#include <cereal/types/memory.hpp>
#include <cereal/types/optional.hpp>
#include <cereal/types/set.hpp>
#include <cereal/types/string.hpp>
#include <cereal/types/tuple.hpp>
#include <cereal/types/unordered_map.hpp>
#include <cereal/types/unordered_set.hpp>
#include <cereal/types/utility.hpp>
#include <cereal/types/variant.hpp>
#include <cereal/types/vector.hpp>

#include <cstring>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

namespace hotspare {

namespace detail {

/// Carries Buffers beside the bytes of a payload: by handle, never by copy.
class HOTSPARE_API Attachments {
 public:
  virtual ~Attachments();
  virtual std::uint64_t attach(const Buffer& buffer) = 0;
  virtual Buffer fetch(std::uint64_t handle, std::uint64_t size) = 0;
};

/// Writes while there is room, and counts in any case: size() is what the payload needs.
class ByteSink {
 public:
  explicit ByteSink(std::span<std::byte> room) : room_(room) {}
  void put(const void* from, std::size_t size) {
    if (size != 0 && used_ <= room_.size() && size <= room_.size() - used_)
      std::memcpy(room_.data() + used_, from, size);
    used_ += size;
  }
  void align(std::size_t alignment) { used_ = (used_ + alignment - 1) / alignment * alignment; }
  std::size_t size() const { return used_; }
  bool fits() const { return used_ <= room_.size(); }

 private:
  std::span<std::byte> room_;
  std::size_t used_ = 0;
};

/// Reads with every length checked; each byte is read once, so that a writer that goes on writing can only
/// change what is read, never what was checked.
class ByteSource {
 public:
  explicit ByteSource(std::span<const std::byte> bytes) : bytes_(bytes) {}
  void take(void* to, std::size_t size) {
    if (size > remaining()) throw_cut(size);
    if (size != 0) std::memcpy(to, bytes_.data() + used_, size);
    used_ += size;
  }
  const std::byte* view(std::size_t size, std::size_t alignment) {
    const std::size_t start = (used_ + alignment - 1) / alignment * alignment;
    if (start > bytes_.size() || size > bytes_.size() - start) throw_cut(size);
    used_ = start + size;
    return bytes_.data() + start;
  }
  std::size_t remaining() const { return bytes_.size() - used_; }

 private:
  [[noreturn]] void throw_cut(std::size_t wanted) const {
    throw PayloadError("payload is cut: " + std::to_string(wanted) + " bytes wanted, " + std::to_string(remaining()) +
                       " left");
  }
  std::span<const std::byte> bytes_;
  std::size_t used_ = 0;
};

}  // namespace detail

/// cereal's archive onto a ByteSink.
class PayloadWriter : public cereal::OutputArchive<PayloadWriter, cereal::AllowEmptyClassElision> {
 public:
  PayloadWriter(detail::ByteSink& sink, detail::Attachments* attachments)
      : OutputArchive(this), sink_(sink), attachments_(attachments) {}
  void put(const void* from, std::size_t size) { sink_.put(from, size); }
  std::uint64_t attach(const Buffer& buffer) { return attachments_->attach(buffer); }

 private:
  detail::ByteSink& sink_;
  detail::Attachments* attachments_;
};

/// cereal's archive from a ByteSource.
class PayloadReader : public cereal::InputArchive<PayloadReader, cereal::AllowEmptyClassElision> {
 public:
  PayloadReader(detail::ByteSource& source, detail::Attachments* attachments)
      : InputArchive(this), source_(source), attachments_(attachments) {}
  void take(void* to, std::size_t size) { source_.take(to, size); }
  std::size_t remaining() const { return source_.remaining(); }
  Buffer fetch(std::uint64_t handle, std::uint64_t size) { return attachments_->fetch(handle, size); }

 private:
  detail::ByteSource& source_;
  detail::Attachments* attachments_;
};

template <class T>
  requires std::is_arithmetic_v<T>
void CEREAL_SAVE_FUNCTION_NAME(PayloadWriter& ar, const T& value) { ar.put(std::addressof(value), sizeof(value)); }
template <class T>
  requires std::is_arithmetic_v<T>
void CEREAL_LOAD_FUNCTION_NAME(PayloadReader& ar, T& value) { ar.take(std::addressof(value), sizeof(value)); }
template <class T>
void CEREAL_SERIALIZE_FUNCTION_NAME(PayloadWriter& ar, cereal::NameValuePair<T>& pair) {
  ar(pair.value);
}
template <class T>
void CEREAL_SERIALIZE_FUNCTION_NAME(PayloadReader& ar, cereal::NameValuePair<T>& pair) {
  ar(pair.value);
}
template <class T>
void CEREAL_SERIALIZE_FUNCTION_NAME(PayloadWriter& ar, cereal::SizeTag<T>& tag) {
  ar(tag.size);
}
/// A length read from a worker is believed only as far as bytes are there for it.
template <class T>
void CEREAL_SERIALIZE_FUNCTION_NAME(PayloadReader& ar, cereal::SizeTag<T>& tag) {
  ar(tag.size);
  if (tag.size > ar.remaining())
    throw PayloadError("payload is damaged: it announces " + std::to_string(tag.size) + " elements in " +
                       std::to_string(ar.remaining()) + " bytes");
}
template <class T>
void CEREAL_SAVE_FUNCTION_NAME(PayloadWriter& ar, const cereal::BinaryData<T>& data) {
  ar.put(data.data, static_cast<std::size_t>(data.size));
}
template <class T>
void CEREAL_LOAD_FUNCTION_NAME(PayloadReader& ar, cereal::BinaryData<T>& data) {
  ar.take(data.data, static_cast<std::size_t>(data.size));
}

inline void CEREAL_SAVE_FUNCTION_NAME(PayloadWriter& ar, const Buffer& buffer) {
  ar(ar.attach(buffer), static_cast<std::uint64_t>(buffer.size()));
}
inline void CEREAL_LOAD_FUNCTION_NAME(PayloadReader& ar, Buffer& buffer) {
  std::uint64_t handle = 0;
  std::uint64_t size = 0;
  ar(handle, size);
  buffer = ar.fetch(handle, size);
}

}  // namespace hotspare

CEREAL_SETUP_ARCHIVE_TRAITS(hotspare::PayloadReader, hotspare::PayloadWriter)

namespace cereal {
inline void CEREAL_SAVE_FUNCTION_NAME(hotspare::PayloadWriter& ar, const std::filesystem::path& path) {
  ar(path.native());
}
inline void CEREAL_LOAD_FUNCTION_NAME(hotspare::PayloadReader& ar, std::filesystem::path& path) {
  std::string native;
  ar(native);
  path = std::move(native);
}
}  // namespace cereal

namespace hotspare::detail {

template <class T>
concept Plain = std::is_arithmetic_v<T> || std::is_enum_v<T>;

template <class T>
struct IsView : std::false_type {};
template <>
struct IsView<std::string_view> : std::true_type {};
template <class T>
struct IsView<std::span<T>> : std::true_type {};

template <class T>
concept View = IsView<T>::value;

/// One block of bytes with its length before it: read in one go, without being filled with zeros first.
template <class T>
struct IsBlock : std::false_type {};
template <>
struct IsBlock<std::string> : std::true_type {};
template <class E>
  requires(std::is_arithmetic_v<E> && !std::is_same_v<E, bool>)
struct IsBlock<std::vector<E>> : std::true_type {};

template <class T>
concept Block = IsBlock<T>::value;

template <class T>
concept Archived = cereal::traits::is_output_serializable<T, PayloadWriter>::value &&
    cereal::traits::is_input_serializable<T, PayloadReader>::value;

template <class T>
concept RawBytes = std::is_trivially_copyable_v<T> && std::is_class_v<T> && !View<T>;

template <class T>
inline constexpr bool travels_as_bytes = !Plain<T> && !Archived<T> && RawBytes<T>;

template <class T>
concept Transportable = Plain<T> || View<T> || Archived<T> || RawBytes<T>;

/// Writes one argument or result.
template <class T>
void write_value(ByteSink& sink, Attachments* attachments, const T& value) {
  if constexpr (Plain<T>) {
    sink.put(&value, sizeof value);
  } else if constexpr (View<T> || Block<T>) {
    using Element = std::remove_cv_t<typename T::value_type>;
    static_assert(std::is_trivially_copyable_v<Element>, "hotspare: a span argument needs trivially copyable elements");
    static_assert(
        !holds_address<Element>(),
        "hotspare: an element of this span holds an address (a pointer, a reference, a string_view or a span), "
        "which means nothing in another process");
    const std::uint64_t count = value.size();
    sink.put(&count, sizeof count);
    sink.align(alignof(Element));
    sink.put(value.data(), value.size() * sizeof(Element));
  } else if constexpr (Archived<T>) {
    PayloadWriter writer(sink, attachments);
    writer(value);
  } else {
    static_assert(RawBytes<T>,
                  "hotspare: this type cannot travel to another process. Give it a cereal function: "
                  "template <class Archive> void serialize(Archive& ar) { ar(members...); }");
    static_assert(
        !holds_address<T>(),
        "hotspare: this type would travel as bytes and holds an address (a pointer, a reference, a string_view or "
        "a span), which means nothing in another process: give it a cereal function that sends what it points to: "
        "template <class Archive> void serialize(Archive& ar) { ar(members...); }");
    sink.put(&value, sizeof value);
  }
}

/// Reads one argument or result. A view (string_view, span) points into the payload itself.
template <class T>
T read_value(ByteSource& source, Attachments* attachments) {
  if constexpr (Plain<T>) {
    T value;
    source.take(&value, sizeof value);
    return value;
  } else if constexpr (View<T> || Block<T>) {
    using Element = typename T::value_type;
    std::uint64_t count = 0;
    source.take(&count, sizeof count);
    if (count > source.remaining() / sizeof(Element)) throw PayloadError("payload is cut inside an array");
    const std::size_t size = static_cast<std::size_t>(count) * sizeof(Element);
    const std::byte* at = source.view(size, alignof(Element));
    const auto* first = reinterpret_cast<const Element*>(at);
    if constexpr (Block<T>) {
      return T(first, first + count);
    } else {
      return T(first, static_cast<std::size_t>(count));
    }
  } else if constexpr (Archived<T>) {
    T value{};
    PayloadReader reader(source, attachments);
    reader(value);
    return value;
  } else {
    static_assert(RawBytes<T>, "hotspare: this type cannot travel to another process");
    alignas(T) std::byte storage[sizeof(T)];
    source.take(storage, sizeof(T));
    return *std::launder(reinterpret_cast<T*>(storage));
  }
}

}  // namespace hotspare::detail
