package dev.sojourn.engine.weights;

import java.nio.file.Path;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * What a model file holds, for a person who asks before loading it. Also files that cannot be
 * loaded have one, as far as they can be read: what a file does not say is empty. Its texts are
 * made fit to print.
 *
 * @param file where it is
 * @param bytes the file's size
 * @param format its name, for a person
 * @param architecture {@code general.architecture}
 * @param name {@code general.name}
 * @param parameters numbers in all tensors
 * @param tensors how many there are
 * @param types how many tensors and bytes there are of each type
 * @param layers transformer blocks
 * @param dimension numbers of the residual stream
 * @param hidden numbers inside the feed-forward part
 * @param heads of queries
 * @param kvHeads of keys and values
 * @param headDimension numbers of a head
 * @param context tokens the model was made for
 * @param vocabulary number of tokens
 * @param tokenizer which algorithm, and after a slash which splitting rules
 * @param chatTemplate the template's length in characters
 * @param unsupported types of tensors that cannot be loaded yet
 */
public record ModelInfo(
    Path file,
    long bytes,
    String format,
    Optional<String> architecture,
    Optional<String> name,
    long parameters,
    int tensors,
    Map<TensorType, Share> types,
    OptionalInt layers,
    OptionalInt dimension,
    OptionalInt hidden,
    OptionalInt heads,
    OptionalInt kvHeads,
    OptionalInt headDimension,
    OptionalInt context,
    OptionalInt vocabulary,
    Optional<String> tokenizer,
    OptionalInt chatTemplate,
    List<TensorType> unsupported) {

  /** How many tensors are of a type, and their bytes. */
  public record Share(int tensors, long bytes) {

    private Share plus(Share other) {
      return new Share(tensors + other.tensors, bytes + other.bytes);
    }
  }

  public ModelInfo {
    types = Map.copyOf(types);
    unsupported = List.copyOf(unsupported);
  }

  /** Reads it from an open file. */
  public static ModelInfo of(ModelFile file) {
    ModelMetadata metadata = file.metadata();
    Optional<String> architecture = metadata.findString("general.architecture");
    String key = architecture.orElse("") + '.';
    String tokens = "tokenizer.ggml.tokens";
    Map<TensorType, Share> types = new EnumMap<>(TensorType.class);
    for (ModelTensor tensor : file.tensors()) {
      types.merge(tensor.type(), new Share(1, tensor.data().byteSize()), Share::plus);
    }
    OptionalInt heads = count(metadata, key + "attention.head_count");
    OptionalInt dimension = count(metadata, key + "embedding_length");
    return new ModelInfo(
        file.path(),
        file.size(),
        file.format(),
        architecture.map(ModelFileException::printable),
        metadata.findString("general.name").map(ModelFileException::printable),
        file.tensors().stream().mapToLong(ModelTensor::elements).sum(),
        file.tensors().size(),
        types,
        count(metadata, key + "block_count"),
        dimension,
        count(metadata, key + "feed_forward_length"),
        heads,
        countOr(metadata, key + "attention.head_count_kv", heads),
        countOr(metadata, key + "attention.key_length", quotient(dimension, heads)),
        count(metadata, key + "context_length"),
        metadata.has(tokens)
            ? size(metadata.findStrings(tokens).map(List::size))
            : count(metadata, key + "vocab_size"),
        file.tokenizer().map(ModelFileException::printable),
        size(file.chatTemplate().map(String::length)),
        types.keySet().stream().filter(type -> !type.supported()).toList());
  }

  /** Returns a count; empty if it is not one number, as of models whose layers differ. */
  private static OptionalInt count(ModelMetadata metadata, String key) {
    ModelMetadata.Entry entry = metadata.entry(key);
    return entry != null
            && entry.value() instanceof Long count
            && count >= 0
            && count <= Integer.MAX_VALUE
        ? OptionalInt.of(count.intValue())
        : OptionalInt.empty();
  }

  /** Returns a count, or what stands for it where the file has no such key. */
  private static OptionalInt countOr(ModelMetadata metadata, String key, OptionalInt usual) {
    return metadata.has(key) ? count(metadata, key) : usual;
  }

  private static OptionalInt quotient(OptionalInt of, OptionalInt by) {
    return of.isPresent() && by.isPresent() && by.getAsInt() > 0
        ? OptionalInt.of(of.getAsInt() / by.getAsInt())
        : OptionalInt.empty();
  }

  private static OptionalInt size(Optional<Integer> size) {
    return size.map(OptionalInt::of).orElseGet(OptionalInt::empty);
  }
}
