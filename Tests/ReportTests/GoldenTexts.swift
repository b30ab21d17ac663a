/// The texts that the report is known to give, looked at by a person.
enum GoldenTexts {
    static let tableOne = """
        Convergence on mnist d1d1d1d1
        batch 32 · seed 1 · 2 workers × 1 thread, 1 server

                                   mse-tanh    mse-tanh-rescaled    ce-softmax
        ──────────────────────────────────────────────────────────────────────
        test accuracy, %
          epoch 1                     94.36                94.36         95.77
          epoch 2                     95.42                95.42         96.71
          epoch 3                     95.99                95.99         97.31
          epoch 4                     96.16                96.16         97.32
          epoch 5                     96.39                96.39         97.57
          epoch 6                     96.51                96.51         97.66
          epoch 7                     96.56                96.56         97.74
          epoch 8                     96.60                96.60         97.67
          epoch 9                     96.60                96.60         97.90
          epoch 10                    96.67                96.67         97.81
        ──────────────────────────────────────────────────────────────────────
        steps to 95 %                 3,750                3,750         1,875
        steps to 96 %                 7,500                7,500         3,750
        steps to 97 %           not reached          not reached         5,625
        seconds to 95 %                0.30                 0.30          0.15
        seconds to 96 %                0.60                 0.60          0.30
        seconds to 97 %         not reached          not reached          0.45
        ──────────────────────────────────────────────────────────────────────
        final test loss             0.00850              0.00850       0.08000
        training time, s               1.50                 1.50          1.50
        examples/s                  412,346              412,346       412,346
        changed by rescaling              —          0 of 10,000             —
        ──────────────────────────────────────────────────────────────────────
        weights                    1f1f1f1f             1f1f1f1f      1f1f1f1f
        configuration              7a7a7a7a             b4b4b4b4      e5e5e5e5
        status                    completed            completed     completed
        """

    static let tableThree = """
        Convergence on mnist d1d1d1d1, mean ± standard deviation over 3 seeds
        batch 32 · 2 workers × 1 thread, 1 server

                                        mse-tanh   mse-tanh-rescaled          ce-softmax
        ────────────────────────────────────────────────────────────────────────────────
        test accuracy, %
          epoch 1                   94.52 ± 0.50        94.64 ± 0.14        95.63 ± 0.07
          epoch 2                   95.56 ± 0.53        95.70 ± 0.14        96.57 ± 0.07
          epoch 3               96.41 ± 0.30 (2)        96.27 ± 0.14        97.17 ± 0.07
          epoch 4               96.58 ± 0.30 (2)        96.44 ± 0.14        97.18 ± 0.07
          epoch 5               96.81 ± 0.30 (2)        96.67 ± 0.14        97.43 ± 0.07
          epoch 6               96.93 ± 0.30 (2)        96.79 ± 0.14        97.52 ± 0.07
          epoch 7               96.98 ± 0.30 (2)        96.84 ± 0.14        97.60 ± 0.07
          epoch 8               97.02 ± 0.30 (2)        96.88 ± 0.14        97.53 ± 0.07
          epoch 9               97.02 ± 0.30 (2)        96.88 ± 0.14        97.76 ± 0.07
          epoch 10              97.09 ± 0.30 (2)        96.95 ± 0.14        97.67 ± 0.07
        ────────────────────────────────────────────────────────────────────────────────
        steps to 95 %              ≥ 3,750 (2/3)           3,750 ± 0           1,875 ± 0
        steps to 96 %              ≥ 4,375 (2/3)           5,625 ± 0           3,750 ± 0
        steps to 97 %             ≥ 10,625 (1/3)      ≥ 17,500 (1/3)           5,625 ± 0
        seconds to 95 %             ≥ 0.30 (2/3)         0.30 ± 0.00         0.15 ± 0.00
        seconds to 96 %             ≥ 0.35 (2/3)         0.45 ± 0.00         0.30 ± 0.00
        seconds to 97 %             ≥ 0.85 (1/3)        ≥ 1.40 (1/3)         0.45 ± 0.00
        ────────────────────────────────────────────────────────────────────────────────
        final test loss        0.00850 ± 0.00000   0.00850 ± 0.00000   0.08000 ± 0.00000
        training time, s             1.50 ± 0.00         1.50 ± 0.00         1.50 ± 0.00
        examples/s                   412,346 ± 0         412,346 ± 0         412,346 ± 0
        changed by rescaling                   —         3 of 30,000                   —
        ────────────────────────────────────────────────────────────────────────────────
        weights, seed 1                 1f1f1f1f            1f1f1f1f            1f1f1f1f
        weights, seed 2                 2f2f2f2f            2f2f2f2f            2f2f2f2f
        weights, seed 3                 3f3f3f3f            3f3f3f3f            3f3f3f3f
        configuration                   7a7a7a7a            b4b4b4b4            e5e5e5e5
        status                  2 of 3 completed         3 completed         3 completed

        mse-tanh, seed 2: diverged at step 4,000: non-finite mean gradient in shard 0
        (n): the mean over the n runs that came so far
        ≥ (m/n): only m of n runs reached it; the others count up to their end, so the
        mean lies above
        """

    static let plotOne = """
        Test accuracy on mnist d1d1d1d1, seed 1

         98 % ┤                                    ⢀⣀⣀⣀◆⣀⣀⣀⠤⠤⠤⠤◆⠤⠤⠤⣀⣀⣀⣀◆⣀⠤⠤⠤⠤⠒◆⠒⠒⠒⠢⠤⠤⠤◆
              │              ⢀⣀◆⠤⠤⠤⠤⠤⠤⠤◆⠤⠔⠒⠒⠒⠊⠉◆⠉⠉⠉⠁
              │         ◆⠤⠔⠒⠉⠁
              │     ⣀⠤⠒⠉                 ⢀⣀⣀⣀⡠⠤●⠤⠤⠤⠔⠒⠒⠒●⠒⠒⠒⠒⠒⠒⠒●⠒⠒⠒⠉⠉⠉⠉●⠉⠉⠉⠉⠉⠉●⠉⠉⠉⠉⠉⠉⠉●
         96 % ┤ ⢀⡠⠔⠊         ⢀⣀●⠤⠔⠒⠒⠒⠊⠉●⠉⠁
              │ ◆       ●⠤⠔⠒⠉⠁
              │     ⣀⠤⠒⠉
              │ ⢀⡠⠔⠊
         94 % ┤ ●
              └─┬───────┬──────┬───────┬───────┬───────┬───────┬───────┬──────┬───────┬─
        epoch   1       2      3       4       5       6       7       8      9       10

          ● mse-tanh = mse-tanh-rescaled    ◆ ce-softmax
        """

    static let plotThree = """
        Test accuracy on mnist d1d1d1d1, mean of 3 seeds

         98 % ┤                                                              ⢀▲⣀⣀⣀⡀
              │                               ⢀▲⣀⣀⣀⡠⠤⠤⠤▲⠤⠤⠤⠒⠒⠒⠒▲⠒⠒⠒⠤⠤⠤⠤▲⠔⠒⠒⠉⠉⠁    ⠈⠉⠉⠉▲
              │               ⣀▲⠤⠤⠤⠤⠤⠤⠤▲⠤⠒⠒⠊⠉⠉⠁                                   ⢀⣀⣀⣀●
         97 % ┤           ⣀⠤⠒⠉             ⢀⣀⣀⡠●⠤⢤⣤⣔⣒⡲⠶◎⠶⠶⠶⠭⠭⠭⠭◎⠭⠭⠭⠛⠛⠛⠛◎⠛⠛⠛⠛⠛⠛◎⠛⠛⠛⠋⠉⠉⠉◆
              │       ⢀⠤▲⠉     ●⣀⣠⣤⣤⣤⡴⠶◎⠶⠝⠛⠓⠒⠊⠉◆⠉⠁
         96 % ┤    ⢀⠤⠊⠁     ⣀⠤⠚◆⠉⠁
              │ ⢀⡠⠒⠁    ◆⢤⠶⠋⠁
              │ ▲    ⣀⢔⠭●⠁
         95 % ┤   ⢀⠤⡪⠒⠁
              │ ◆⣒⠕⠉
              │ ●
         94 % ┤
              └─┬───────┬──────┬───────┬───────┬───────┬───────┬───────┬──────┬───────┬─
        epoch   1       2      3       4       5       6       7       8      9       10

          ● mse-tanh    ◆ mse-tanh-rescaled    ▲ ce-softmax    ◎ several
        """

    static let plotAscii = """
        Test accuracy on mnist d1d1d1d1, seed 1

         98 % +                       ..x.....x.....x.....x.....x.....x
              |          ...x.....x....
              |      .x..                        ...o.....o.....o.....o
         96 % +  ....        .....o.....o.....o...
              | x.     .....o.
              |    ...o
              | ....
         94 % + o
              +-+-----+-----+-----+-----+-----+-----+-----+-----+-----+-
        epoch   1     2     3     4     5     6     7     8     9     10

          o mse-tanh = mse-tanh-rescaled    x ce-softmax
        """

    static let verdictsOne = """
        Verdicts on mnist d1d1d1d1
        ────────────────────────────────────────────────────────────────────────────────
        MSE + tanh converges more slowly                                      not tested
          Steps to 95 % test accuracy: mse-tanh 3,750, ce-softmax 1,875, restricted
          means up to 3,750; 2.00 times as many (1 seed).

        MSE + tanh ends less accurate                                         not tested
          Final test accuracy: ce-softmax 97.81 % against mse-tanh 96.67 %; difference
          +1.14 percentage points (one seed).

        MSE + tanh saturates                                                  not tested
          Saturated units in the last epoch: hidden layer 1: 5.0 %, output: 40.0 % (1
          seed); the claim is that they are more than 10 % of a layer.

        Rescaling the outputs may help a little                               not tested
          0 of 10,000 decisions differ between y and (y + 1) / 2: the map keeps the
          order of the outputs. With 1 of 1 seed the weights of both are the same bits:
          one network, which counts once.
        """

    static let verdictsThree = """
        Verdicts on mnist d1d1d1d1
        ────────────────────────────────────────────────────────────────────────────────
        MSE + tanh converges more slowly                                      not tested
          Steps to 95 % test accuracy: mse-tanh 3,750 (2 of 3 get there), ce-softmax
          1,875, restricted means up to 3,750; at least 2.00 times as many (3 seeds),
          log-rank p = 0.083. Did not complete: mse-tanh seed 2 (diverged).

        MSE + tanh ends less accurate                                         not tested
          Final test accuracy: ce-softmax 97.67 ± 0.10 % against mse-tanh
          97.09 ± 0.30 %; difference +0.58 percentage points (two seeds). Left out:
          mse-tanh seed 2 (diverged).

        MSE + tanh saturates                                                  not tested
          Saturated units in the last epoch: hidden layer 1: 5.0 ± 0.0 %, output:
          40.0 ± 0.0 % (2 seeds); the claim is that they are more than 10 % of a layer.
          Left out: mse-tanh seed 2 (diverged).

        Rescaling the outputs may help a little                               not tested
          Final test accuracy: mse-tanh-rescaled 96.95 ± 0.20 % against mse-tanh
          97.09 ± 0.30 %; difference −0.14 percentage points (two seeds). Left out:
          mse-tanh seed 2 (diverged). 3 of 30,000 decisions differ between y and (y + 1)
          / 2, all of them ties that rounding makes or breaks. With 3 of 3 seeds the
          weights of both are the same bits: one network, which counts once.
        """

    static let verdictsClear = """
        Verdicts on mnist d1d1d1d1
        --------------------------------------------------------------------------------
        MSE + tanh converges more slowly                                      not tested
          Steps to 95 % test accuracy: mse-tanh 3,750, ce-softmax 1,875, restricted
          means up to 3,750; 2.00 times as many (3 seeds), log-rank p = 0.083.

        MSE + tanh ends less accurate                                          supported
          Final test accuracy: ce-softmax 97.75 +- 0.03 % against mse-tanh
          96.73 +- 0.03 %; difference +1.02 [+0.87, +1.17] percentage points (95 %
          interval, 3 seeds). Adjusted p = 0.004.

        MSE + tanh saturates                                                inconclusive
          Saturated units in the last epoch: hidden layer 1: 0.1 +- 0.0 %, output:
          0.2 +- 0.0 % (3 seeds); the claim is that they are more than 10 % of a layer.
          Adjusted p = 0.250.

        Rescaling the outputs may help a little                                  refuted
          Final test accuracy: mse-tanh-rescaled 96.73 +- 0.03 % against mse-tanh
          96.73 +- 0.03 %; difference 0.00 [-0.02, +0.02] percentage points (95 %
          interval, 3 seeds). Adjusted p = 0.004.
        """

    static let confusion = """
        8,820 of 8,838 classified correctly
        rows: true class, columns: decision; recall and precision in %

                       0      1      2     3      4      5      6     7     8  9  recall
        ────────────────────────────────────────────────────────────────────────────────
        0            900      ·      ·     ·      ·      ·      ·     ·     ·  ·   100.0
        1              ·    920      ·     ·      ·      ·      ·     1     ·  ·    99.9
        2              ·      ·    940     ·      ·      ·      ·     ·     ·  ·   100.0
        3              ·      ·      ·   960      ·      ·      ·     ·     ·  ·   100.0
        4              ·      ·      ·     ·    980      ·      ·     ·    12  ·    98.8
        5              ·      ·      ·     ·      ·   1000      ·     ·     ·  ·   100.0
        6              ·      ·      ·     ·      ·      ·   1020     ·     ·  ·   100.0
        7              ·      ·      ·     ·      ·      ·      ·  1040     ·  ·   100.0
        8              ·      ·      ·     5      ·      ·      ·     ·  1060  ·    99.5
        9              ·      ·      ·     ·      ·      ·      ·     ·     ·  ·       —
        ────────────────────────────────────────────────────────────────────────────────
        precision  100.0  100.0  100.0  99.5  100.0  100.0  100.0  99.9  98.9  —    99.8
        """
}
