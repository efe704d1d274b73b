package dev.sojourn.cli;

import dev.sojourn.engine.model.LoadedModel;
import dev.sojourn.engine.weights.ModelFile;
import dev.sojourn.engine.weights.ModelInfo;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.stream.Collectors;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** Shows what a model holds, without loading it. */
@Command(
    name = "info",
    description = "Show what a GGUF file or a checkpoint holds, without loading it.")
final class ModelInfoCommand extends HelpOption implements Runnable {

  @Spec private CommandSpec spec = CommandSpec.create();

  @Parameters(
      paramLabel = "FILE",
      description = "The GGUF file or the first of its parts, or the checkpoint's directory.")
  private Path file = Path.of("");

  @Option(names = "--json", description = "Answer in JSON.")
  private boolean json;

  @Override
  public void run() {
    ModelInfo info;
    Optional<String> problem;
    try (ModelFile opened = ModelFile.open(file)) {
      info = ModelInfo.of(opened);
      problem = info.unsupported().isEmpty() ? LoadedModel.problem(opened) : Optional.empty();
    }
    Output output = new Output(spec.commandLine().getOut());
    if (json) {
      Map<String, Object> facts = facts(info);
      problem.ifPresent(value -> facts.put("problem", value));
      output.json(facts);
    } else {
      print(info, output);
      problem.ifPresent(value -> output.line("Cannot be loaded: " + value));
    }
  }

  private static void print(ModelInfo info, Output output) {
    output.line(info.file() + ": " + info.format() + ", " + megabytes(info.bytes()));
    info.name().ifPresent(name -> output.line("name          " + name));
    output.line("architecture  " + info.architecture().orElse("not said"));
    output.line("parameters    " + String.format(Locale.ROOT, "%,d", info.parameters()));
    output.line(
        "tensors       "
            + info.types().entrySet().stream()
                .sorted(Map.Entry.comparingByKey())
                .map(e ->
                    e.getValue().tensors()
                        + " "
                        + e.getKey()
                        + " ("
                        + megabytes(e.getValue().bytes())
                        + ")")
                .collect(Collectors.joining(", ")));
    output.line(
        "shape         "
            + number(info.layers())
            + " layers of "
            + number(info.dimension())
            + ", feed-forward "
            + number(info.hidden())
            + ", "
            + number(info.heads())
            + " heads of "
            + number(info.headDimension())
            + ", "
            + number(info.kvHeads())
            + " of keys and values");
    output.line("context       " + number(info.context()) + " tokens");
    output.line(
        "vocabulary    "
            + number(info.vocabulary())
            + " tokens, "
            + info.tokenizer().orElse("tokenizer not said"));
    output.line(
        "template      "
            + (info.chatTemplate().isPresent()
                ? info.chatTemplate().getAsInt() + " characters"
                : "none: completions only"));
    if (!info.unsupported().isEmpty()) {
      output.line(
          "Cannot be loaded: tensors of type "
              + info.unsupported().stream().map(Object::toString).collect(Collectors.joining(", "))
              + " are not supported yet.");
    }
  }

  private static Map<String, Object> facts(ModelInfo info) {
    Map<String, Object> facts = new LinkedHashMap<>();
    facts.put("file", info.file().toString());
    facts.put("bytes", info.bytes());
    facts.put("format", info.format());
    info.architecture().ifPresent(value -> facts.put("architecture", value));
    info.name().ifPresent(value -> facts.put("name", value));
    facts.put("parameters", info.parameters());
    facts.put("tensors", info.tensors());
    facts.put("types", types(info));
    put(facts, "layers", info.layers());
    put(facts, "dimension", info.dimension());
    put(facts, "hidden", info.hidden());
    put(facts, "heads", info.heads());
    put(facts, "kv_heads", info.kvHeads());
    put(facts, "head_dimension", info.headDimension());
    put(facts, "context", info.context());
    put(facts, "vocabulary", info.vocabulary());
    info.tokenizer().ifPresent(value -> facts.put("tokenizer", value));
    put(facts, "chat_template_characters", info.chatTemplate());
    facts.put("unsupported_types", info.unsupported().stream().map(Object::toString).toList());
    return facts;
  }

  private static List<Map<String, Object>> types(ModelInfo info) {
    return info.types().entrySet().stream()
        .sorted(Comparator.comparing(Map.Entry::getKey))
        .map(e ->
            Map.<String, Object>of(
                "type",
                e.getKey().toString(),
                "tensors",
                e.getValue().tensors(),
                "bytes",
                e.getValue().bytes()))
        .toList();
  }

  private static void put(Map<String, Object> facts, String name, OptionalInt value) {
    value.ifPresent(number -> facts.put(name, number));
  }

  private static String number(OptionalInt value) {
    return value.isPresent() ? String.valueOf(value.getAsInt()) : "?";
  }

  private static String megabytes(long bytes) {
    return String.format(Locale.ROOT, "%.1f MB", bytes / 1e6);
  }
}
