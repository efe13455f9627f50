<?php

declare(strict_types=1);

namespace Flagstore\Tests;

use Flagstore\Packaging\NativeFile;
use Flagstore\Platform;
use Flagstore\Transport;

/**
 * The package that is shipped, installed by Composer into an empty folder and used without the source tree.
 */
final class PackageTest extends TestCase
{
    private static string $folder;

    public static function setUpBeforeClass(): void
    {
        self::$folder = sys_get_temp_dir() . '/flagstore-package-' . getmypid();
        mkdir(self::$folder . '/application', 0o755, true);
    }

    public static function tearDownAfterClass(): void
    {
        Process::run(['rm', '-rf', self::$folder]);
    }

    protected function setUp(): void
    {
        parent::setUp();
        if (Process::run(['which', 'composer'])[0] !== 0) {
            self::markTestSkipped('there is no composer: apt-get install composer');
        }
    }

    public function testTheArchivesAreTheSameEachTimeAndHoldTheLibraryOfEachPlatform(): void
    {
        $platforms = self::$folder . '/platforms';
        foreach (NativeFiles::ALL as $platform => $file) {
            mkdir("{$platforms}/{$platform}", 0777, true);
            file_put_contents("{$platforms}/{$platform}/{$file}", NativeFiles::of($platform));
            file_put_contents("{$platforms}/{$platform}/libflagstore.a", "archive of {$platform}");
        }
        $hashes = [];
        foreach (['packages', 'again'] as $folder) {
            [$status, $said] = Process::run([dirname(__DIR__) . '/package', self::$folder . "/{$folder}"], ['FLAGSTORE_PLATFORMS' => $platforms]);
            self::assertSame(0, $status, $said);
            $hashes[] = array_map(static fn (string $archive): string => hash_file('sha256', $archive), explode("\n", trim($said)));
        }
        self::assertSame($hashes[0], $hashes[1]);
        [$package, $extension] = array_map(static function (string $archive): string {
            [, $listed] = Process::run(['tar', '-tvzf', $archive]);
            self::assertStringNotContainsString(' -> ', $listed, 'it holds links');
            self::assertStringNotContainsString('/tests/', $listed);
            foreach (['composer.json', 'LICENSE', 'THIRD-PARTY-NOTICES', 'flagstore.cdx.json'] as $paper) {
                self::assertStringContainsString("/{$paper}\n", $listed);
            }
            return $listed;
        }, explode("\n", trim($said)));
        // What is built has a package of its own, and leaves nothing in vendor.
        self::assertStringNotContainsString('config.m4', $package);
        self::assertStringContainsString("/src/flagstore_cdef.h\n", $package);
        foreach (['config.m4', 'flagstore.c', 'flagstore_arginfo.h', 'include/flagstore.h'] as $file) {
            self::assertStringContainsString("-0.1.0/{$file}\n", $extension);
        }
        foreach (NativeFiles::ALL as $platform => $file) {
            self::assertStringContainsString("/lib/{$platform}/{$file}\n", $package);
            self::assertStringContainsString("/lib/{$platform}/libflagstore.a\n", $extension);
        }
    }

    public function testALibraryInTheWrongFolderIsNotPacked(): void
    {
        $platforms = self::$folder . '/wrong';
        mkdir("{$platforms}/aarch64-unknown-linux-musl", 0777, true);
        file_put_contents("{$platforms}/aarch64-unknown-linux-musl/libflagstore.so", NativeFiles::of('aarch64-unknown-linux-gnu'));
        $command = [dirname(__DIR__) . '/package', self::$folder . '/none'];
        [$status, $said] = Process::run($command, ['FLAGSTORE_PLATFORMS' => $platforms]);
        self::assertSame(1, $status);
        self::assertStringContainsString('aarch64-unknown-linux-musl/libflagstore.so is for aarch64-unknown-linux-gnu', $said);
        [$status, $said] = Process::run($command, ['FLAGSTORE_LIBRARY' => '/nowhere/libflagstore.so']);
        self::assertSame(1, $status);
        self::assertStringContainsString('/nowhere/libflagstore.so, and there is no such file', $said);
    }

    public function testAFilesPlatformIsWhatItsHeaderSays(): void
    {
        $file = self::$folder . '/file';
        foreach (array_keys(NativeFiles::ALL) as $platform) {
            file_put_contents($file, NativeFiles::of($platform));
            self::assertSame($platform, NativeFile::platform($file));
        }
        foreach (['', 'text', "\x7fELF\x02\x01", 'MZ', substr(NativeFiles::of('x86_64-unknown-linux-gnu'), 0, 100)] as $odd) {
            file_put_contents($file, $odd);
            try {
                NativeFile::platform($file);
                self::fail('it was taken');
            } catch (\UnexpectedValueException $error) {
                self::assertStringContainsString('is no shared library', $error->getMessage());
            }
        }
        self::assertSame(Platform::current(), NativeFile::platform((new Build())->library()));
    }

    public function testThePlatformIsTheOneOfThisProcess(): void
    {
        $maps = static fn (string $libc): \Closure => static fn (): string => "7f00 r-xp 00000000 08:01 1 {$libc}\n";
        $cases = [
            ['Linux', 'x86_64', '/usr/lib/x86_64-linux-gnu/libc.so.6', 'x86_64-unknown-linux-gnu'],
            ['Linux', 'aarch64', '/lib/ld-musl-aarch64.so.1', 'aarch64-unknown-linux-musl'],
            ['Linux', 'x86_64', '/usr/lib/libc.musl-x86_64.so.1', 'x86_64-unknown-linux-musl'],
            ['Darwin', 'arm64', '', 'aarch64-apple-darwin'],
            ['Darwin', 'x86_64', '', 'x86_64-apple-darwin'],
            ['Windows', 'AMD64', '', 'x86_64-pc-windows-gnu'],
            ['BSD', 'riscv64', '', 'riscv64-bsd'],
        ];
        foreach ($cases as [$family, $machine, $libc, $platform]) {
            self::assertSame($platform, Platform::named($family, $machine, $maps($libc)));
        }
        self::assertSame(
            ['libflagstore.so', 'libflagstore.dylib', 'flagstore.dll'],
            array_map(Platform::file(...), ['Linux', 'Darwin', 'Windows'])
        );
    }

    /**
     * @depends testTheArchivesAreTheSameEachTimeAndHoldTheLibraryOfEachPlatform
     */
    public function testComposerInstallsIt(): void
    {
        $application = self::$folder . '/application';
        [$archive] = glob(self::$folder . '/packages/flagstore-php-[0-9]*.tar.gz');
        self::assertSame([0, ''], Process::run(['tar', '-xzf', $archive, '-C', self::$folder]));
        $unpacked = self::$folder . '/' . basename($archive, '.tar.gz');
        file_put_contents("{$application}/composer.json", json_encode([
            'repositories' => [
                ['type' => 'path', 'url' => self::$folder . '/flagstore-php-*', 'options' => ['symlink' => false]], ['packagist.org' => false],
            ],
            'require' => ['flagstore/flagstore' => '0.1.0'],
        ]));
        $environment = ['COMPOSER_ALLOW_SUPERUSER' => '1', 'COMPOSER_DISABLE_NETWORK' => '1',
            'COMPOSER_HOME' => self::$folder . '/composer'];
        [$status, $said] = Process::run(['composer', 'install', '--no-interaction', '--quiet'], $environment, 120, $application);
        self::assertSame(0, $status, $said);
        self::assertFileExists(self::packaged());
        self::assertTrue(is_executable("{$application}/vendor/bin/flagstore-ffi-header"));
        Process::run(['rm', '-rf', $unpacked]);
    }

    /**
     * @depends testComposerInstallsIt
     * @group ffi
     */
    public function testFfiUsesTheLibraryInThePackage(): void
    {
        $this->assertWorks(['-d', 'extension=ffi', '-d', 'ffi.enable=1'], Transport::Ffi);
    }

    /**
     * As PIE does: no option says where the library is. One file comes of it, which may be moved.
     *
     * @depends testComposerInstallsIt
     * @group extension
     */
    public function testTheExtensionBuildsFromItsPackageWithTheLibraryInIt(): void
    {
        [$archive] = glob(self::$folder . '/packages/flagstore-php-ext-*.tar.gz');
        self::assertSame([0, ''], Process::run(['tar', '-xzf', $archive, '-C', self::$folder]));
        $sources = self::$folder . '/' . basename($archive, '.tar.gz');
        // What PIE reads.
        $package = json_decode(file_get_contents("{$sources}/composer.json"), true);
        self::assertSame('php-ext', $package['type']);
        self::assertSame('flagstore', $package['php-ext']['extension-name']);
        self::assertSame('with-flagstore', $package['php-ext']['configure-options'][0]['name']);
        self::assertStringContainsString('PHP_ARG_WITH([flagstore]', file_get_contents("{$sources}/config.m4"));
        $installed = self::$folder . '/installed';
        foreach ([['phpize'], ['./configure', '--quiet'], ['make', '--quiet'], ['make', '--quiet', 'install', "INSTALL_ROOT={$installed}"]] as $command) {
            [$status, $said] = Process::run($command, [], 180, $sources);
            self::assertSame(0, $status, $said);
        }
        $files = glob("{$installed}/" . ini_get('extension_dir') . '/*');
        self::assertSame(['flagstore.so'], array_map(basename(...), $files));
        rename($files[0], self::$folder . '/moved.so');
        Process::run(['rm', '-rf', $sources]);
        $this->assertWorks(['-d', 'extension=' . self::$folder . '/moved.so'], Transport::Extension);
        [, $needed] = Process::run(['readelf', '-d', self::$folder . '/moved.so']);
        preg_match_all('/NEEDED.*\[(.*)\]|(RUNPATH|RPATH)/', $needed, $found);
        self::assertSame([], array_filter($found[2]));
        self::assertSame([], preg_grep('/^(lib(c|m|dl|rt|pthread)\.so|ld-)/', $found[1], PREG_GREP_INVERT));
    }

    private static function packaged(): string
    {
        return self::$folder . '/application/vendor/flagstore/flagstore/lib/' . Platform::current() . '/libflagstore.so';
    }

    /**
     * @param list<string> $options of PHP
     */
    private function assertWorks(array $options, Transport $transport): void
    {
        $application = self::$folder . '/application';
        $code = 'require "vendor/autoload.php"; $store = Flagstore\Store::open(json_decode($argv[1], true));'
            . 'echo json_encode([$store->available(), Flagstore\Store::transport()->value]);'
            . 'preg_match_all("#/\S*libflagstore\S*#", file_get_contents("/proc/self/maps"), $maps);'
            . 'echo "\n", implode(" ", array_unique($maps[0]));';
        $command = [PHP_BINARY, '-n', ...$options, '-r', $code, '--', json_encode($this->options())];
        $bare = ['FLAGSTORE_LIBRARY' => null, 'LD_LIBRARY_PATH' => null];
        [$status, $said] = Process::run($command, $bare, 60, $application);
        $library = $transport === Transport::Ffi ? realpath(self::packaged()) : '';
        self::assertSame([0, rtrim("[true,\"{$transport->value}\"]\n{$library}")], [$status, rtrim($said)]);
    }
}
