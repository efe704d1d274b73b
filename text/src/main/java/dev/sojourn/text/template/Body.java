package dev.sojourn.text.template;

import java.util.List;

/** Statements in order. Adds the line to a failure of one of them. */
record Body(List<Statement> statements) {

  Statement.Flow run(Frame frame) {
    for (Statement statement : statements) {
      try {
        Statement.Flow flow = statement.run(frame);
        if (flow != Statement.Flow.NEXT) {
          return flow;
        }
      } catch (TemplateException e) {
        throw e.at(statement.line());
      }
    }
    return Statement.Flow.NEXT;
  }
}
