--TEST--
The extension says which library it uses
--EXTENSIONS--
flagstore
--FILE--
<?php
$extension = new ReflectionExtension('flagstore');
var_dump($extension->getVersion() === phpversion('flagstore'));
var_dump(preg_match('/^\d+\.\d+\.\d+$/', Flagstore\Native::libraryVersion()));
ob_start();
phpinfo(INFO_MODULES);
var_dump(preg_match('/libflagstore ABI => 1, 1 needed/', ob_get_clean()));
?>
--EXPECT--
bool(true)
int(1)
int(1)
