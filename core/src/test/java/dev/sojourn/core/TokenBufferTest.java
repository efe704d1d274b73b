package dev.sojourn.core;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.RepeatedTest;
import org.junit.jupiter.api.RepetitionInfo;
import org.junit.jupiter.api.Test;

class TokenBufferTest {

  @Test
  void view_afterCutAndAppend_isAsItWas() {
    TokenBuffer buffer = new TokenBuffer(4);
    buffer.append(Tokens.of(1, 2, 3));
    Tokens before = buffer.view();

    buffer.truncate(1);
    buffer.append(9);

    assertThat(before).isEqualTo(Tokens.of(1, 2, 3));
    assertThat(buffer.view()).isEqualTo(Tokens.of(1, 9));
  }

  @Test
  void truncate_beyondTheEnd_namesBothLengths() {
    TokenBuffer buffer = new TokenBuffer(0);
    buffer.append(5);

    assertThatThrownBy(() -> buffer.truncate(2)).hasMessage("cannot cut 1 tokens to 2");
  }

  /** Random appends, cuts and views against a plain list; every view ever taken must stay true. */
  @RepeatedTest(50)
  void randomOperations_matchAList_andNoViewEverChanges(RepetitionInfo info) {
    Random random = new Random(info.getCurrentRepetition());
    TokenBuffer buffer = new TokenBuffer(0);
    List<Integer> model = new ArrayList<>();
    List<Tokens> views = new ArrayList<>();
    List<List<Integer>> expected = new ArrayList<>();
    for (int step = 0; step < 300; step++) {
      switch (random.nextInt(4)) {
        case 0 -> {
          int id = random.nextInt();
          buffer.append(id);
          model.add(id);
        }
        case 1 -> {
          int[] more = random.ints(random.nextInt(20)).toArray();
          buffer.append(Tokens.of(more));
          for (int id : more) {
            model.add(id);
          }
        }
        case 2 -> {
          int length = random.nextInt(model.size() + 1);
          buffer.truncate(length);
          model.subList(length, model.size()).clear();
        }
        default -> {
          int to = random.nextInt(model.size() + 1);
          views.add(buffer.view(to));
          expected.add(List.copyOf(model.subList(0, to)));
        }
      }
      assertThat(buffer.view().stream().boxed().toList()).isEqualTo(model);
    }
    for (int i = 0; i < views.size(); i++) {
      assertThat(views.get(i).stream().boxed().toList()).isEqualTo(expected.get(i));
    }
  }
}
